"""Rule 18 where a router that was deployed long ago cannot go around it, of revision 0002.

Such a router cannot be taught: its lease is neither granted nor renewed while a migration of a later protocol is active, so it
runs out, and rule 15 makes the router read only. Until then it opens no journal row, so it writes to neither collection, and
its janitor takes over none.
"""

from __future__ import annotations

_ACTIVE_OF_PIN = "SELECT 1 FROM migrations m WHERE m.pin = NEW.pin AND m.phase NOT IN ('retired', 'discarded')"
_UNDERSTOOD = f"NOT EXISTS ({_ACTIVE_OF_PIN} AND abs(m.protocol_version - NEW.protocol_version) > 1)"
_UNTOUCHED = "(NEW.expires_at = OLD.expires_at AND NEW.acknowledged_version = OLD.acknowledged_version)"
_LEASE_OF_OWNER = (
    "SELECT 1 FROM routers r JOIN migrations m ON m.pin = r.pin WHERE m.id = NEW.migration_id AND r.router_id = NEW.owner"
)
_NO_ROUTER = "NEW.owner NOT LIKE 'router-%'"

RULES = (
    # name, table, event, what must hold, words
    (
        "migrations_protocol_on_update",
        "migrations",
        "UPDATE",
        "NEW.protocol_version = OLD.protocol_version",
        "a migration keeps the protocol that it began with",
    ),
    (
        "routers_speak_on_insert",
        "routers",
        "INSERT",
        _UNDERSTOOD,
        "this router speaks a protocol too far from the active migration: upgrade vecferry in its process",
    ),
    (
        "routers_speak_on_update",
        "routers",
        "UPDATE",
        f"{_UNTOUCHED} OR {_UNDERSTOOD}",
        "this router speaks a protocol too far from the active migration: upgrade vecferry in its process",
    ),
    (
        "routers_dismissed_on_update",
        "routers",
        "UPDATE",
        f"OLD.dismissed_at IS NULL OR {_UNTOUCHED}",
        "this router was dismissed: it registers anew",
    ),
    (
        "journal_lease_on_insert",
        "journal",
        "INSERT",
        f"NEW.kind <> 'write' OR {_NO_ROUTER} OR EXISTS ({_LEASE_OF_OWNER} AND r.dismissed_at IS NULL"
        " AND abs(m.protocol_version - r.protocol_version) <= 1)",
        "this router has no lease that the migration accepts",
    ),
    (
        "journal_speak_on_update",
        "journal",
        "UPDATE",
        f"NEW.owner = OLD.owner OR {_NO_ROUTER} OR NOT EXISTS ({_LEASE_OF_OWNER}"
        " AND abs(m.protocol_version - r.protocol_version) > 1)",
        "this janitor speaks a protocol too far from the active migration: upgrade vecferry in its process",
    ),
)


def _sqlite(name: str, table: str, event: str, holds: str, words: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN NOT ({holds}) BEGIN SELECT RAISE(ABORT, '{words}'); END"


def _postgresql(name: str, table: str, event: str, holds: str, words: str) -> tuple[str, str]:
    function = (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT ({holds}) THEN "
        f"RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
    )
    return function, f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


SQLITE = tuple(_sqlite(*rule) for rule in RULES)
POSTGRESQL = tuple(statement for rule in RULES for statement in _postgresql(*rule))
