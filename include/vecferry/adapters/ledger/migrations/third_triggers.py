"""What revision 0001 left to the code and plain SQL could break, of revision 0003: each rule where nobody goes around it.

Expand only: code of the revisions before does all of this already.
"""

from __future__ import annotations

_ACTIVE = "phase NOT IN ('retired', 'discarded')"
_SAME_MIGRATION = (
    "NEW.number = OLD.number AND NEW.id = OLD.id AND NEW.pin = OLD.pin AND NEW.shadow = OLD.shadow"
    " AND NEW.attempt = OLD.attempt AND CAST(NEW.spec AS TEXT) = CAST(OLD.spec AS TEXT)"
    " AND CAST(NEW.from_space AS TEXT) = CAST(OLD.from_space AS TEXT)"
)
_FROZEN = (
    "EXISTS (SELECT 1 FROM routing r WHERE r.pin = NEW.pin AND r.migration_id = NEW.id AND r.mode = 'freeze')"
    " AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.migration_id = NEW.id)"
    " AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.migration_id = NEW.id AND c.state = 'open')"
    " AND EXISTS (SELECT 1 FROM pins p WHERE p.name = NEW.pin AND p.collection = NEW.shadow)"
)
_AS_IN_HISTORY = (
    "EXISTS (SELECT 1 FROM routing_versions h WHERE h.pin = NEW.pin AND h.version = NEW.version AND h.mode = NEW.mode"
    " AND h.percent = NEW.percent AND h.authority = NEW.authority"
    " AND COALESCE(h.migration_id, '') = COALESCE(NEW.migration_id, ''))"
)
_ITS_MIGRATION = "SELECT 1 FROM migrations m WHERE m.id = NEW.migration_id AND m.pin = NEW.pin"
_WAS_SWITCHED_OFF = (
    "EXISTS (SELECT 1 FROM routing_versions h WHERE h.pin = NEW.pin AND h.migration_id = NEW.migration_id"
    " AND h.mode <> 'live_only') AND EXISTS (SELECT 1 FROM routing r WHERE r.pin = NEW.pin AND r.mode = 'live_only')"
)
_COPYING = (
    "EXISTS (SELECT 1 FROM routing r WHERE r.migration_id = NEW.migration_id"
    " AND (r.mode = 'dual' OR (r.mode = 'freeze' AND NEW.kind = 'write')))"
)
_SAME_OPERATION = (
    "NEW.id = OLD.id AND NEW.migration_id = OLD.migration_id AND NEW.tenant = OLD.tenant AND NEW.key = OLD.key"
    " AND NEW.kind = OLD.kind AND NEW.opened_at <= OLD.opened_at"
)
_OVERLAPS = (
    "EXISTS (SELECT 1 FROM chunks c WHERE c.migration_id = NEW.migration_id AND c.tenant = NEW.tenant"
    " AND c.range_start < NEW.range_end AND NEW.range_start < c.range_end"
    " AND NOT (c.range_start = NEW.range_start AND c.range_end = NEW.range_end))"
)
_SAME_RANGE = (
    "NEW.migration_id = OLD.migration_id AND NEW.tenant = OLD.tenant AND NEW.range_start = OLD.range_start"
    " AND NEW.range_end = OLD.range_end AND NEW.token >= OLD.token AND (NEW.owner = OLD.owner OR NEW.token > OLD.token)"
)
_NOT_OF_THE_FUTURE = "NEW.acknowledged_version <= (SELECT r.version FROM routing r WHERE r.pin = NEW.pin)"
_PIN_FREE_OR_FLIPPED = (
    "(NEW.collection = OLD.collection AND NEW.space = OLD.space)"
    f" OR NOT EXISTS (SELECT 1 FROM migrations m WHERE m.pin = NEW.name AND m.{_ACTIVE})"
    " OR EXISTS (SELECT 1 FROM migrations m JOIN routing r ON r.migration_id = m.id"
    f" WHERE m.pin = NEW.name AND m.{_ACTIVE} AND m.shadow = NEW.collection AND r.mode = 'freeze')"
)

RULES = (
    # name, table, event, what must hold, words
    ("migrations_same", "migrations", "UPDATE", _SAME_MIGRATION, "a migration keeps its pin, shadow, spec and attempt"),
    (
        "migrations_flip",
        "migrations",
        "UPDATE",
        f"NEW.phase <> 'retired' OR OLD.phase = 'retired' OR ({_FROZEN})",
        "only the flip retires: frozen, no open chunk, an empty journal, the pin at the shadow",
    ),
    ("pins_in_migration", "pins", "UPDATE", _PIN_FREE_OR_FLIPPED, "a pin keeps its collection while a migration is active"),
    ("routing_as_in_history_on_insert", "routing", "INSERT", _AS_IN_HISTORY, "the routing is what its history says"),
    ("routing_as_in_history_on_update", "routing", "UPDATE", _AS_IN_HISTORY, "the routing is what its history says"),
    (
        "routing_versions_grow",
        "routing_versions",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM routing_versions h WHERE h.pin = NEW.pin AND h.version >= NEW.version)",
        "routing versions only grow",
    ),
    (
        "routing_versions_of_migration",
        "routing_versions",
        "INSERT",
        f"NEW.mode = 'live_only' OR EXISTS ({_ITS_MIGRATION} AND m.{_ACTIVE} AND m.phase <> 'planned')",
        "only an active migration with a shadow is written to",
    ),
    (
        "routing_versions_serving",
        "routing_versions",
        "INSERT",
        f"(NEW.percent = 0 OR EXISTS ({_ITS_MIGRATION} AND m.phase = 'serving'))"
        " AND (NEW.mode <> 'freeze' OR NEW.percent = 100)",
        "the shadow serves in phase serving only, and a freeze needs all of it",
    ),
    (
        "routing_versions_switched_off",
        "routing_versions",
        "INSERT",
        f"NEW.mode = 'live_only' OR NOT ({_WAS_SWITCHED_OFF})",
        "dual-write was switched off and never comes back",
    ),
    (
        "routing_versions_authority",
        "routing_versions",
        "INSERT",
        "NEW.authority = (SELECT p.collection FROM pins p WHERE p.name = NEW.pin)",
        "the authority is the collection of the pin",
    ),
    ("journal_copying", "journal", "INSERT", _COPYING, "rows are opened only while their migration copies"),
    ("journal_same", "journal", "UPDATE", _SAME_OPERATION, "a row keeps its key, kind and age"),
    (
        "journal_token",
        "journal",
        "UPDATE",
        "NEW.owner = OLD.owner OR NEW.token <> OLD.token",
        "a row changes its owner with its token",
    ),
    ("chunks_disjoint", "chunks", "INSERT", f"NOT ({_OVERLAPS})", "the chunks of a tenant do not overlap"),
    ("chunks_same", "chunks", "UPDATE", _SAME_RANGE, "a chunk keeps its range, and its claims only grow"),
    ("chunks_kept", "chunks", "DELETE", "false", "chunks are never deleted"),
    (
        "routers_acknowledge_on_insert",
        "routers",
        "INSERT",
        f"NEW.lease_s >= 0 AND {_NOT_OF_THE_FUTURE}",
        "a router acknowledges a version that there is, for some time",
    ),
    (
        "routers_acknowledge_on_update",
        "routers",
        "UPDATE",
        f"NEW.lease_s >= 0 AND {_NOT_OF_THE_FUTURE}",
        "a router acknowledges a version that there is, for some time",
    ),
    (
        "spend_settled",
        "spend",
        "UPDATE",
        "NOT OLD.settled AND NEW.pin = OLD.pin AND NEW.migration_id = OLD.migration_id",
        "a reservation is settled once",
    ),
    ("spend_kept", "spend", "DELETE", "false", "spend is never deleted"),
    ("moves_fixed_on_insert", "moves", "INSERT", "false", "the table of moves is fixed"),
    ("moves_fixed_on_update", "moves", "UPDATE", "false", "the table of moves is fixed"),
    ("moves_fixed_on_delete", "moves", "DELETE", "false", "the table of moves is fixed"),
)

REPLACED = (
    # table, its row that INSERT OR REPLACE would take away without asking the triggers for DELETE
    ("events", "t.id = NEW.id"),
    ("verdicts", "t.id = NEW.id"),
    ("journal", "t.id = NEW.id"),
    ("spend", "t.id = NEW.id"),
    ("pins", "t.name = NEW.name"),
    ("routing", "t.pin = NEW.pin"),
    (
        "migrations",
        "t.number = NEW.number OR t.id = NEW.id OR (t.pin = NEW.pin AND"
        f" (t.shadow = NEW.shadow OR (t.{_ACTIVE} AND NEW.{_ACTIVE})))",
    ),
)
_NO_SPEND_YET = "SELECT 1 FROM spend s WHERE s.pin = NEW.pin AND s.migration_id = NEW.migration_id"
TRUNCATED = ("journal", "chunks", "spend", "moves")


def _sqlite(name: str, table: str, event: str, holds: str, words: str, *, when: str = "BEFORE") -> str:
    return f"CREATE TRIGGER {name} {when} {event} ON {table} WHEN NOT ({holds}) BEGIN SELECT RAISE(ABORT, '{words}'); END"


def _not_replaced(table: str, row: str) -> str:
    holds = f"NOT EXISTS (SELECT 1 FROM {table} t WHERE {row})"
    return _sqlite(f"{table}_not_replaced", table, "INSERT", holds, f"a row of {table} is never replaced")


def _postgresql(name: str, table: str, event: str, holds: str, words: str) -> tuple[str, str]:
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_TURN.get(name, '')}IF NOT ({holds}) THEN "
        f"RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
    )
    return function, f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


_TURN = {"chunks_disjoint": "PERFORM 1 FROM migrations m WHERE m.id = NEW.migration_id FOR NO KEY UPDATE; "}
"""Two planners of one migration would not see each other's chunks before they commit: the second one waits."""

_TRUNCATE_FUNCTION = (
    "CREATE FUNCTION never_truncated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'this table is never emptied' USING ERRCODE = 'check_violation'; END $$"
)

SQLITE = (
    *(_sqlite(*rule) for rule in RULES),
    *(_not_replaced(*rule) for rule in REPLACED),
    # Not before: the insert of an account that is there does nothing, on purpose.
    _sqlite(
        "accounts_not_replaced", "accounts", "INSERT", f"NOT EXISTS ({_NO_SPEND_YET})", "spend is never deleted", when="AFTER"
    ),
)
POSTGRESQL = (
    *(statement for rule in RULES for statement in _postgresql(*rule)),
    _TRUNCATE_FUNCTION,
    *(
        f"CREATE TRIGGER {table}_never_truncated BEFORE TRUNCATE ON {table} EXECUTE FUNCTION never_truncated()"
        for table in TRUNCATED
    ),
)
