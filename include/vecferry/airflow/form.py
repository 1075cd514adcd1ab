"""The DAG's params as a form. The bounds are JSON schema, so that a value out of range is a 400 and not a failed run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from vecferry.domain.request import PERCENTS
from vecferry.errors import BadInput

CHUNK_CONCURRENCY = 4
_MOST_CHUNKS_AT_ONCE = 64
_WHAT, _BOUNDS, _PACE = "What", "Bounds", "Pace"


def migration_form(defaults: Mapping[str, Any] | None = None) -> dict[str, Param]:
    """``defaults`` replaces what the form offers; without one, ``collection`` and ``to_model`` must be given."""
    given = dict(defaults or {})
    params = {**_what(given), **_bounds(given), **_pace(given)}
    if unknown := set(given) - set(params):
        raise BadInput(
            f"unknown defaults: {', '.join(sorted(unknown))}",
            where="embedding_migration_dag",
            next_action=f"It takes {', '.join(params)}.",
        )
    return params


def most_chunks_at_once(defaults: Mapping[str, Any] | None) -> int:
    """Airflow fixes this when the DAG is parsed, so the DAG file sets the most and the form can only go below it."""
    return int((defaults or {}).get("chunk_concurrency", CHUNK_CONCURRENCY))


def _what(given: Mapping[str, Any]) -> dict[str, Param]:
    return {
        "collection": _param(
            given, "collection", title="Collection", section=_WHAT, type="string", minLength=1,
            description="The pin's name, as `vecferry status` lists it.",
        ),
        "to_model": _param(
            given, "to_model", title="New model", section=_WHAT, type="string", minLength=1,
            description="As `vecferry models` lists it, for example `openai/text-embedding-3-large`.",
        ),
        "tenants": _param(
            given, "tenants", None, title="Tenants on trial", section=_WHAT, type=["null", "array"], items={"type": "string"},
            description="One a line: only these are copied and cut over, and the run ends before retire. Empty: all.",
        ),
        "sweep": _param(
            given, "sweep", False, title="Some applications bypass the Router", section=_WHAT, type="boolean",
            description="Their changes are found by scanning: slower, stale by up to two passes and a pause (the plan "
            "says how long), and before retire a person has to say that they have moved: `vecferry sweep PIN --writers-moved`.",
        ),
        "notice_id": _param(
            given, "notice_id", None, title="Notice", section=_WHAT, type=["string", "null"],
            description="Filled in by deprecation_watch. With it, the notice must be corroborated; a person needs none.",
        ),
    }  # fmt: skip


def _bounds(given: Mapping[str, Any]) -> dict[str, Param]:
    return {
        "budget_usd": _param(
            given, "budget_usd", None, title="Budget, USD", section=_BOUNDS, type=["number", "null"], exclusiveMinimum=0,
            description="The migration pauses before it spends more. Empty: no limit.",
        ),
        "deadline": _param(
            given, "deadline", None, title="Deadline", section=_BOUNDS, type=["string", "null"], format="date",
            description="The plan fails if it would end later.",
        ),
        "margin": _param(
            given, "margin", None, title="Tolerated loss", section=_BOUNDS, type=["number", "null"],
            exclusiveMinimum=0, exclusiveMaximum=1,
            description="In points of nDCG@10 on the golden set. Empty: the setting's, 0.02 by default.",
        ),
        "too_long": _param(
            given, "too_long", "truncate", title="Texts over the model's limit", section=_BOUNDS, type="string",
            enum=["truncate", "skip", "fail"],
            description="`truncate`: the beginning is embedded; `skip`: the copy has no vector and says why; `fail`: stop.",
        ),
        "inbound_references": _param(
            given, "inbound_references", "refuse", title="References of other collections to this one", section=_BOUNDS,
            type="string", enum=["refuse", "leave"],
            description="`refuse`: the plan stops and lists them; `leave`: they go on pointing to the old collection.",
        ),
        "shadow_vectorizer": _param(
            given, "shadow_vectorizer", "plain", title="The server's own vectorizer", section=_BOUNDS,
            type="string", enum=["plain", "keep"],
            description="Where the server vectorizes live. `plain`: the new collection has plain vectors; `keep`: it keeps the "
            "vectorizer with the new model, switched on at retire.",
        ),
        "aliases": _param(
            given, "aliases", "auto", title="Aliases of this collection", section=_BOUNDS,
            type="string", enum=["auto", "move", "leave"],
            description="At retire. `move`: they lead to the new one, for users who send text or the new model's vectors; "
            "`leave`: they stay; `auto`: they move where the server vectorizes there.",
        ),
        "approvals": _param(
            given, "approvals", True, title="Ask before spending and before retiring", section=_BOUNDS, type="boolean",
        ),
    }  # fmt: skip


def _pace(given: Mapping[str, Any]) -> dict[str, Param]:
    at_once = most_chunks_at_once(given)
    if not 1 <= at_once <= _MOST_CHUNKS_AT_ONCE:
        raise BadInput(f"chunk_concurrency must be between 1 and {_MOST_CHUNKS_AT_ONCE}", where="embedding_migration_dag")
    return {
        "percents": _param(
            given, "percents", list(PERCENTS), title="Percents", section=_PACE, type="array",
            items={"type": "integer", "enum": list(PERCENTS)}, uniqueItems=True, contains={"const": 100},
            description="The shares of queries at which to stop and look; 100 must be among them.",
        ),
        "soak_minutes": _param(
            given, "soak_minutes", 30, title="Soak, minutes", section=_PACE, type="number", minimum=0, maximum=43_200,
            description="The least time at each percent.",
        ),
        "max_live_p99_ms": _param(
            given, "max_live_p99_ms", None, title="Users' p99, ms", section=_PACE, type=["number", "null"], exclusiveMinimum=0,
            description="While the live searches' p99 is above it, the backfill slows down. Empty: as quick as it can be.",
        ),
        "keep_days": _param(
            given, "keep_days", None, title="Keep the old collection, days", section=_PACE, type=["number", "null"], minimum=0,
            description="After retire; then `vecferry drop-old` may delete it. Empty: the setting's, 14 by default.",
        ),
        "chunk_concurrency": _param(
            given, "chunk_concurrency", at_once, title="Chunks at once", section=_PACE, type="integer",
            minimum=1, maximum=at_once,
            description="The DAG file sets the most (`defaults={\"chunk_concurrency\": …}`); here it can be lowered.",
        ),
    }  # fmt: skip


_REQUIRED = object()


def _param(given: Mapping[str, Any], name: str, default: Any = _REQUIRED, **schema: Any) -> Param:
    value = given.get(name, default)
    return Param(**schema) if value is _REQUIRED else Param(value, **schema)
