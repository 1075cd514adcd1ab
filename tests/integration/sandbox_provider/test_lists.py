"""Model lists, the feed of notices, and switches that are not understood."""

import pytest

from vecferry.sandbox.models import CHAR, WORD


def test_a_notice_stands_in_the_feed_and_in_both_model_lists(control, ask_openai, ask_cohere):
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    assert ask_cohere.models.get(WORD).is_deprecated is False
    control.post(
        "/_notices",
        json={"model_id": WORD, "shutdown_date": "2027-03-31", "replacement_models": [CHAR], "url": "https://docs.invalid/"},
    ).raise_for_status()
    (notice,) = control.get("/notices.json").json()
    assert (notice["model_id"], notice["shutdown_date"]) == (WORD, "2027-03-31")
    assert notice["replacement_models"] == [CHAR]
    assert notice["announcement_date"]
    assert notice["content_hash"]
    assert ask_openai.models.retrieve(WORD).shutdown_date == "2027-03-31"
    assert {model.id: model.shutdown_date for model in ask_openai.models.list()}[CHAR] is None
    assert ask_cohere.models.get(WORD).is_deprecated is True
    assert {model.name: model.is_deprecated for model in ask_cohere.models.list().models}[CHAR] is False


def test_the_feed_and_the_model_lists_can_disagree(control, ask_openai, ask_cohere):
    notice = {"model_id": WORD, "shutdown_date": "2027-03-31", "in_model_list": False}
    control.post("/_notices", json=notice).raise_for_status()
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    control.delete("/_notices")
    control.post("/_notices", json={**notice, "in_model_list": True, "in_feed": False}).raise_for_status()
    assert control.get("/notices.json").json() == []
    assert ask_openai.models.retrieve(WORD).shutdown_date == "2027-03-31"
    control.post(f"/_models/{WORD}", json={"shutdown_date": None}).raise_for_status()
    assert ask_openai.models.retrieve(WORD).shutdown_date is None
    assert ask_cohere.models.get(WORD).is_deprecated is True


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("/_notices", {"shutdown_date": "2027-03-31"}),
        ("/_notices", {"model_id": WORD, "shutdown_date": "soon"}),
        ("/_notices", {"model_id": WORD, "ends": "2027-03-31"}),
        ("/_models/no-such-model", {"shutdown_date": "2027-03-31"}),
        (f"/_models/{WORD}", {"ends": "2027-03-31"}),
        ("/_limits", {"rpm": 3}),
        ("/_limits", {"requests_per_minute": 0}),
        ("/_limits", {"requests_per_minute": "many"}),
        ("/_limits", {"model": "no-such-model", "requests_per_minute": 3}),
        ("/_faults", {"kind": "gremlins"}),
        ("/_faults", {"kind": "nan", "cosine": 0.5}),
        ("/_faults", {"kind": "status", "status": 200}),
        ("/_faults", {"kind": "status", "rate": 30}),
        ("/_faults", {"kind": "foreign_space", "space": "no-such-model"}),
        ("/_faults", [{"kind": "nan"}, {"kind": "gremlins"}]),
        ("/_faults", 7),
    ],
)
def test_a_switch_that_is_not_understood_is_refused_and_changes_nothing(control, route, body):
    answer = control.post(route, json=body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["message"]
    assert control.get("/_faults").json() == []
    assert control.get("/_limits").json() == {}
    assert control.get("/_notices").json() == []
