"""FakeRouter: what application developers' tests may rely on."""

from __future__ import annotations

import inspect
import uuid

import pytest

from vecferry.domain.routing import Arm
from vecferry.errors import BadInput, NotFound, NotWritten, UnknownOutcome
from vecferry.router import Router
from vecferry.testing import FakeRouter

RIVER, STONE, CLOUD = (str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in ("river", "stone", "cloud"))
DOCUMENTS = {
    RIVER: {"text": "the river bends", "views": 1},
    STONE: {"text": "a heavy stone", "views": 2},
    CLOUD: {"text": "one cloud above the river", "views": 3},
}


@pytest.fixture
def router():
    with FakeRouter(DOCUMENTS) as made:
        yield made


def public_methods(of: type) -> dict[str, inspect.Signature]:
    names = [name for name in dir(of) if not name.startswith("_") or name in ("__enter__", "__exit__")]
    return {name: inspect.signature(getattr(of, name)) for name in names if callable(getattr(of, name))}


def test_its_methods_are_the_routers():
    routers, own = public_methods(Router), public_methods(FakeRouter)
    for name, signature in routers.items():
        assert own[name].parameters == signature.parameters, name
        if name not in ("connect", "__enter__"):
            assert own[name].return_annotation == signature.return_annotation, name
    assert set(own.keys() - routers.keys()) == {
        "force_arm",
        "force_fallback",
        "force_unknown_outcome",
        "force_not_written",
    }


def test_it_is_a_router(router):
    assert isinstance(router, Router)
    assert isinstance(FakeRouter.connect("Docs", ledger_url="ignored"), FakeRouter)


def test_documents_are_found_on_either_arm(router):
    for arm in ("live", "shadow"):
        router.force_arm(arm)
        hits = router.search("the river bends", key="u", limit=2)
        assert (hits.arm, hits[0].uuid, len(hits)) == (Arm(arm), RIVER, 2)
        assert hits[0].properties == DOCUMENTS[RIVER]


def test_an_arm_is_forced_for_every_key_and_given_back(router):
    router.force_arm("shadow")
    assert {router.route(f"u{n}").arm for n in range(50)} == {Arm.SHADOW}
    router.force_arm(None)
    assert {router.route(f"u{n}").arm for n in range(50)} == {Arm.LIVE}
    with pytest.raises(BadInput, match="there is no arm 'both'"):
        router.force_arm("both")


def test_a_percent_splits_the_keys():
    router = FakeRouter(percent=50)
    assert {router.route(f"u{n}").arm for n in range(50)} == {Arm.LIVE, Arm.SHADOW}


def test_a_forced_fallback_is_answered_by_live_once(router):
    router.force_arm("shadow")
    router.force_fallback()
    first, second = (router.search("river", key="u") for _ in range(2))
    assert (first.arm, first.reason) == (Arm.LIVE, "shadow_failed: Retryable")
    assert first[0].uuid in (RIVER, CLOUD)
    assert second.arm is Arm.SHADOW


def test_writes_are_on_both_arms_when_they_return(router):
    receipts = [
        router.put(str(uuid.uuid4()), {"text": "winter harbour", "colour": "grey"}),
        router.put_many([(str(uuid.uuid4()), {"text": "copper signal"})]),
        router.update(STONE, {"text": "a light stone"}),
        router.delete(RIVER),
        router.delete_many([CLOUD]),
    ]
    assert all(receipt.wait(0) for receipt in receipts)
    for arm in ("live", "shadow"):
        router.force_arm(arm)
        texts = [hit.properties["text"] for hit in router.search("stone", key="u")]
        assert sorted(texts) == ["a light stone", "copper signal", "winter harbour"]


def test_what_was_asked_can_be_looked_at(router):
    router.put(RIVER, {"text": "dry"})
    router.delete_many([STONE, CLOUD])
    hits = router.search("dry", key="anna", filters={"text": "dry"})
    assert [(w.method, w.uuids) for w in router.writes] == [("put", (RIVER,)), ("delete_many", (STONE, CLOUD))]
    assert router.writes[0].items == {RIVER: {"text": "dry"}}
    assert (router.searches[0].text, router.searches[0].key, router.searches[0].answer) == ("dry", "anna", hits)


@pytest.mark.parametrize(
    "write",
    [
        lambda r: r.put(RIVER, {"text": "dry"}),
        lambda r: r.put_many([(RIVER, {"text": "dry"})]),
        lambda r: r.update(RIVER, {"text": "dry"}),
        lambda r: r.delete(RIVER),
        lambda r: r.delete_many([RIVER]),
    ],
    ids=["put", "put_many", "update", "delete", "delete_many"],
)
def test_forced_failures_strike_every_kind_of_write_once(router, write):
    router.force_not_written()
    with pytest.raises(NotWritten, match="forced by force_not_written"):
        write(router)
    router.force_unknown_outcome()
    with pytest.raises(UnknownOutcome, match="forced by force_unknown_outcome"):
        write(router)
    assert router.search("the river bends", key="u")[0].uuid == RIVER
    write(router)
    assert [w.error for w in router.writes] == ["NotWritten", "UnknownOutcome", ""]
    assert "the river bends" not in [hit.properties["text"] for hit in router.search("the river bends", key="u")]


def test_a_write_of_unknown_outcome_may_have_landed(router):
    router.force_unknown_outcome(landed=True)
    with pytest.raises(UnknownOutcome):
        router.delete(RIVER)
    assert RIVER not in [hit.uuid for hit in router.search("river", key="u")]


def test_a_change_block_is_recorded_and_may_fail(router):
    with router.change([RIVER]) as live:
        assert live.collection == "Docs"
    router.force_unknown_outcome()
    with pytest.raises(UnknownOutcome), router.change([RIVER]):
        pass
    assert [(w.method, w.error) for w in router.writes] == [("change", ""), ("change", "UnknownOutcome")]


def test_bad_input_is_refused_as_in_production(router):
    with pytest.raises(BadInput, match="the object has no text in text"):
        router.put(RIVER, {"views": 1})
    with pytest.raises(NotFound, match="there is no object"):
        router.update(str(uuid.uuid4()), {"views": 1})


def test_filters_are_read_by_the_application_when_they_are_its_own(router):
    class MyFilter:
        least = 2

    with pytest.raises(BadInput, match="a FakeRouter cannot read a MyFilter"):
        router.search("river", key="u", filters=MyFilter())
    own = FakeRouter(DOCUMENTS, matches=lambda filters, properties: properties["views"] >= filters.least)
    for arm in ("live", "shadow"):
        own.force_arm(arm)
        assert {hit.uuid for hit in own.search("river", key="u", filters=MyFilter())} == {STONE, CLOUD}


def test_tenants_are_apart():
    router = FakeRouter(DOCUMENTS, tenants=("a", "b"))
    router.force_arm("shadow")
    router.delete(RIVER, tenant="a")
    assert [len(router.search("river", key="u", tenant=tenant)) for tenant in ("a", "b")] == [2, 3]


def test_an_arm_for_queries_of_ones_own_and_feedback(router):
    router.force_arm("shadow")
    with router.arm("u") as arm:
        assert (arm.collection.collection, len(arm.embed("river"))) == ("Docs_shadow", 64)
    assert router.feedback(router.search("river", key="u").query_id, useful=True)


def test_the_fixture_is_a_plugin(pytester_free_run):
    assert "1 passed" in pytester_free_run


@pytest.fixture
def pytester_free_run(tmp_path):
    """A project of an application's own, with nothing but the plugin."""
    import subprocess
    import sys

    (tmp_path / "conftest.py").write_text('pytest_plugins = ["vecferry.testing"]\n')
    (tmp_path / "test_it.py").write_text(
        "def test_it(fake_router):\n"
        "    fake_router.put('00000000-0000-0000-0000-000000000001', {'text': 'river'})\n"
        "    assert len(fake_router.search('river', key='u')) == 1\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120).stdout
