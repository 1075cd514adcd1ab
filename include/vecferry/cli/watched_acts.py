"""The acts that take long, with their progress on stderr; all others as the stage runner has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vecferry.cli.progress import progress, waiting

if TYPE_CHECKING:
    from vecferry.domain.chunks import Chunk
    from vecferry.ports import Ports
    from vecferry.steps.stage_runner import Subject


def act(stage: str, ports: Ports, subject: Subject) -> dict[str, Any]:
    from vecferry.steps import stage_runner

    watched = {"backfill": _backfill, "verify_parity": _verify_parity, "validate_golden_set": _validate_golden_set}
    if stage in watched and isinstance(subject, str):
        return watched[stage](ports, subject)
    with waiting(stage):
        return stage_runner.act(stage, ports, subject)


def _backfill(ports: Ports, migration_id: str) -> dict[str, Any]:
    """What an earlier run has copied counts as done, and not as this one's speed."""
    from vecferry.steps import backfill
    from vecferry.steps.sampling import count_all

    copied = {_range(chunk): chunk.rows_in for chunk in ports.ledger.chunks(migration_id)}
    before = sum(copied.values())
    total = max(before, count_all(ports.store, ports.ledger.migration(migration_id).spec.live))
    with progress("backfill", total, done=before) as tell:

        def page_done(chunk: Chunk) -> None:
            copied[_range(chunk)] = chunk.rows_in
            tell(sum(copied.values()))

        return backfill.run_all(ports, migration_id, page_done)


def _range(chunk: Chunk) -> tuple[str | None, str]:
    return chunk.tenant, chunk.start


def _verify_parity(ports: Ports, migration_id: str) -> dict[str, Any]:
    from vecferry.steps import verify_parity
    from vecferry.steps.sampling import count_all

    total = count_all(ports.store, ports.ledger.migration(migration_id).spec.live)
    with progress("verify_parity", total) as tell:
        return verify_parity.act(ports, migration_id, lambda seen: tell(seen.objects_live))


def _validate_golden_set(ports: Ports, migration_id: str) -> dict[str, Any]:
    """Each query is asked of both arms."""
    from vecferry.steps import validate_golden_set

    queries = len(ports.ledger.golden(ports.ledger.migration(migration_id).pin))
    asked = 0
    with progress("validate_golden_set", 2 * queries, unit="question") as tell:

        def one_asked(_number: int, _of: int) -> None:
            nonlocal asked
            asked += 1
            tell(asked)

        return validate_golden_set.act(ports, migration_id, one_asked)
