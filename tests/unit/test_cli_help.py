"""What every verb has in common: help with an example, JSON, errors that say what to do."""

import json
import subprocess
import sys
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from tests.support.cli_world import World
from vecferry.cli.app import app

VERBS = {
    "pin": [],
    "plan": ["Nope", "--to", "sandbox-char-2"],
    "status": ["Nope"],
    "pause": ["Nope"],
    "unpause": ["Nope"],
    "budget": ["Nope", "--usd", "5", "--why", "x"],
    "rollback": ["Nope"],
    "reopen": ["Nope", "--why", "x"],
    "discard": ["Nope", "--why", "x"],
    "drop-old": ["Nope"],
    "live-model-gone": ["Nope", "--why", "x"],
    "force-100": ["Nope", "--why", "x"],
    "verify": ["Nope"],
    "accept": ["Nope", "backfill", "--why", "x"],
    "janitor": ["Nope"],
    "sweep": ["Nope", "--once"],
    "doctor": ["Nope"],
    "routers": ["Nope"],
    "report": ["Nope"],
    "golden import": ["nope.jsonl", "--pin", "Nope"],
    "notices": [],
    "models": [],
    "ledger upgrade": [],
    "step": ["backfill", "Nope"],
}
WITH_A_PIN = [verb for verb, args in VERBS.items() if "Nope" in args]


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb):
    said = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "120"})
    assert said.exit_code == 0
    assert "--json" in said.stdout
    examples = said.stdout.partition("Examples")[2]
    assert f"vecferry {verb}" in examples


def test_help_of_the_whole_names_every_verb_and_the_exit_codes():
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"})
    assert all(verb.split()[0] in said.stdout for verb in VERBS)
    assert "3 INCONCLUSIVE or NO_DATA" in said.stdout


@pytest.mark.parametrize("verb", WITH_A_PIN)
def test_an_unknown_pin_names_the_ones_that_exist(verb):
    said = World().pinned().run(*verb.split(), *VERBS[verb])
    assert said.code == 2
    assert said.out == ""
    assert "Error: there is no pin 'Nope'" in said.err
    assert "Pins that exist: Docs" in said.err


@pytest.mark.parametrize("verb", WITH_A_PIN)
def test_with_json_an_error_is_one_document_on_stderr_and_nothing_on_stdout(verb):
    said = World().pinned().run(*verb.split(), *VERBS[verb], "--json")
    assert (said.code, said.out) == (2, "")
    document = json.loads(said.err)
    assert set(document) == {"error", "what", "where", "next"}
    assert document["error"] == "NotFound"


def test_bad_options_say_where_the_help_is():
    said = World().run("plan", "Docs")
    assert said.code == 2
    assert "missing option '--to'" in said.err
    assert "vecferry plan --help" in said.err


def test_a_fault_of_vecferry_itself_is_no_traceback():
    @contextmanager
    def broken():
        raise RuntimeError("the roof is on fire")
        yield

    said = CliRunner().invoke(app, ["models"], obj=broken)
    assert said.exit_code == 1
    assert "the roof is on fire" in said.stderr
    assert "Traceback" not in said.stderr


def test_ctrl_c_says_how_to_go_on_and_exits_130():
    @contextmanager
    def interrupted():
        raise KeyboardInterrupt
        yield

    said = CliRunner().invoke(app, ["doctor", "Docs"], obj=interrupted)
    assert said.exit_code == 130
    assert "vecferry doctor Docs" in said.stderr


def test_it_starts_without_airflow_great_expectations_or_any_vendor():
    heavy = ("airflow", "great_expectations", "pandas", "weaviate", "sqlalchemy", "openai", "cohere", "sklearn", "numpy")
    code = f"import vecferry.cli.app, sys; print([m for m in {heavy!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert found == "[]"
