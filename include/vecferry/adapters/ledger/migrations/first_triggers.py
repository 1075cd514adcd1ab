"""What CHECK and UNIQUE cannot say, of revision 0001: moves along the table only, versions that only grow, history that
nobody rewrites. It holds for every client of the database, not only for this package."""

from __future__ import annotations

_MOVED_ALONG = (
    "(NEW.version = OLD.version AND NEW.phase = OLD.phase AND NEW.percent = OLD.percent) OR (NEW.version = OLD.version + 1"
    " AND EXISTS (SELECT 1 FROM moves WHERE origin = OLD.phase AND target = NEW.phase))"
)

RULES = (
    # table, event, what must hold (of OLD and NEW; "false" forbids it altogether), words
    ("migrations", "INSERT", "NEW.phase = 'planned' AND NEW.version = 1", "a migration starts planned, at version 1"),
    ("migrations", "UPDATE", _MOVED_ALONG, "a migration moves along the table of moves, one version at a time"),
    ("migrations", "DELETE", "false", "migrations are never deleted"),
    ("routing", "UPDATE", "NEW.version > OLD.version", "routing versions only grow"),
    ("routing", "DELETE", "false", "routing is never deleted"),
    ("routing_versions", "UPDATE", "false", "routing history is append-only"),
    ("routing_versions", "DELETE", "false", "routing history is append-only"),
    ("verdicts", "UPDATE", "false", "verdicts are append-only"),
    ("verdicts", "DELETE", "false", "verdicts are append-only"),
    ("events", "UPDATE", "false", "events are append-only"),
    ("events", "DELETE", "false", "events are append-only"),
)


def _sqlite(table: str, event: str, holds: str, words: str) -> str:
    return (
        f"CREATE TRIGGER {table}_on_{event.lower()} BEFORE {event} ON {table} WHEN NOT ({holds}) "
        f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
    )


def _postgresql(table: str, event: str, holds: str, words: str) -> tuple[str, str]:
    name = f"{table}_on_{event.lower()}"
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT ({holds}) THEN "
        f"RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
    )
    return function, f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def _postgresql_truncate(table: str) -> str:
    """TRUNCATE fires no row trigger."""
    return f"CREATE TRIGGER {table}_on_truncate BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {table}_on_delete()"


SQLITE = tuple(_sqlite(*rule) for rule in RULES)
POSTGRESQL = (
    *(statement for rule in RULES for statement in _postgresql(*rule)),
    *(_postgresql_truncate(table) for table, event, *_ in RULES if event == "DELETE"),
    # Rows come and go all day: vacuum by hundreds of dead rows, not by a fifth of a table that is nearly empty.
    "ALTER TABLE journal SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500)",
    "ALTER TABLE routing SET (fillfactor = 50)",
)
