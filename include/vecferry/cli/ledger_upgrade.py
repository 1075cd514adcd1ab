"""``vecferry ledger upgrade``: bring the ledger's database to this vecferry's revision."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from vecferry.cli.answering import answer
from vecferry.cli.options import AsJson

EXAMPLES = ("vecferry ledger upgrade",)


def run(as_json: AsJson = False) -> None:
    """Upgrade the ledger that VECFERRY_LEDGER_URL names, before anything else of the new release runs.

    It may be done in the middle of a migration: what runs the release before goes on. A ledger that does not exist yet needs
    no upgrade: the first command makes it.
    """
    from vecferry import settings
    from vecferry.adapters.ledger.schema_version import upgrade

    before, after = upgrade(settings.load().resolved_ledger_url())
    done = {"before": before, "after": after, "changed": before != after}
    answer(done, as_json, lambda console: _show(console, done))


def _show(console: Console, done: dict[str, Any]) -> None:
    if not done["changed"]:
        console.print(f"The ledger is at revision {done['after']} already.")
    else:
        console.print(f"The ledger was {_at(done['before'])} and is now at {done['after']}.")


def _at(revision: str | None) -> str:
    return f"at revision {revision}" if revision else "empty"
