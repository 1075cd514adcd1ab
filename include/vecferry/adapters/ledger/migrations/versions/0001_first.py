"""The first schema. Frozen: it says what version 0001 is, whatever tables.py becomes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

from vecferry.adapters.ledger.migrations.first_triggers import POSTGRESQL, SQLITE

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ACTIVE = "phase NOT IN ('retired', 'discarded')"
MOVES = (
    ("planned", "shadow_created"),
    ("shadow_created", "dual_writing"),
    ("dual_writing", "backfilled"),
    ("backfilled", "verified"),
    ("verified", "validated"),
    ("validated", "serving"),
    ("serving", "serving"),
    ("serving", "retired"),
    ("serving", "rolled_back"),
    ("rolled_back", "serving"),
    ("planned", "discarded"),
    ("shadow_created", "discarded"),
    ("dual_writing", "discarded"),
    ("backfilled", "discarded"),
    ("verified", "discarded"),
    ("validated", "discarded"),
    ("rolled_back", "discarded"),
)

_MODES = "mode IN ('live_only', 'dual', 'freeze')"
_PERCENT = "percent BETWEEN 0 AND 100 AND (percent = 0 OR mode <> 'live_only')"
_MOMENT = DateTime(timezone=True)
_BIG_ID = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    _pins()
    _moves()
    _migrations()
    _routing_versions()
    _routing()
    _journal()
    _routers()
    _observations()
    _chunks()
    _verdicts()
    _events()
    _accounts()
    _spend()
    _notices()
    _golden()
    _measurements()
    _triggers()


def _number(name: str) -> Column[int]:
    return Column(name, _BIG_ID, Identity(), primary_key=True)


def _triggers() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def _pins() -> None:
    op.create_table(
        "pins",
        Column("name", Text, primary_key=True),
        Column("collection", Text, nullable=False),
        Column("space", Text, nullable=False),
        Column("document", JSON, nullable=False),
    )


def _moves() -> None:
    moves = op.create_table(
        "moves",
        Column("origin", Text, nullable=False),
        Column("target", Text, nullable=False),
        PrimaryKeyConstraint("origin", "target", name="moves_key"),
    )
    op.bulk_insert(moves, [{"origin": origin, "target": target} for origin, target in MOVES])


def _migrations() -> None:
    op.create_table(
        "migrations",
        _number("number"),
        Column("id", Text, nullable=False),
        Column("pin", Text, ForeignKey("pins.name", name="migrations_pin"), nullable=False),
        Column("phase", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("percent", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("shadow", Text, nullable=False),
        Column("notice_id", Text),
        Column("paused", Text),
        Column("spec", JSON, nullable=False),
        Column("from_space", JSON, nullable=False),
        Column("options", JSON, nullable=False),
        Column("plan", JSON, nullable=False),
        UniqueConstraint("id", name="migrations_id"),
        UniqueConstraint("pin", "shadow", name="migrations_shadow_is_new"),
        CheckConstraint(
            "phase IN ('planned', 'shadow_created', 'dual_writing', 'backfilled', 'verified', 'validated', 'serving',"
            " 'retired', 'rolled_back', 'discarded')",
            name="migrations_phase",
        ),
        CheckConstraint("percent BETWEEN 0 AND 100", name="migrations_percent"),
        CheckConstraint("percent = 0 OR phase IN ('serving', 'retired')", name="migrations_percent_when_serving"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "migrations_one_active", "migrations", ["pin"], unique=True, sqlite_where=text(ACTIVE), postgresql_where=text(ACTIVE)
    )


def _routing_versions() -> None:
    op.create_table(
        "routing_versions",
        Column("pin", Text, ForeignKey("pins.name", name="routing_versions_pin"), nullable=False),
        Column("version", Integer, nullable=False),
        Column("mode", Text, nullable=False),
        Column("percent", Integer, nullable=False),
        Column("authority", Text, nullable=False),
        Column("migration_id", Text, ForeignKey("migrations.id", name="routing_versions_migration")),
        Column("reason", Text, nullable=False),
        Column("published_at", _MOMENT, nullable=False),
        PrimaryKeyConstraint("pin", "version", name="routing_versions_key"),
        CheckConstraint(_MODES, name="routing_versions_mode"),
        CheckConstraint(_PERCENT, name="routing_versions_percent"),
    )


def _routing() -> None:
    op.create_table(
        "routing",
        Column("pin", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("mode", Text, nullable=False),
        Column("percent", Integer, nullable=False),
        Column("authority", Text, nullable=False),
        Column("migration_id", Text),
        Column("reason", Text, nullable=False),
        Column("published_at", _MOMENT, nullable=False),
        ForeignKeyConstraint(
            ["pin", "version"], ["routing_versions.pin", "routing_versions.version"], name="routing_is_in_its_history"
        ),
    )
    op.create_index("routing_migration", "routing", ["migration_id"])


def _journal() -> None:
    op.create_table(
        "journal",
        _number("id"),
        Column("migration_id", Text, ForeignKey("migrations.id", name="journal_migration"), nullable=False),
        Column("tenant", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("token", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("opened_at", _MOMENT, nullable=False),
        CheckConstraint("kind IN ('write', 'backfill', 'parity')", name="journal_kind"),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_key", "journal", ["migration_id", "tenant", "key"])


def _routers() -> None:
    op.create_table(
        "routers",
        Column("pin", Text, ForeignKey("pins.name", name="routers_pin"), nullable=False),
        Column("router_id", Text, nullable=False),
        Column("expires_at", _MOMENT, nullable=False),
        Column("lease_s", Float, nullable=False),
        Column("acknowledged_version", Integer, nullable=False),
        Column("protocol_version", Integer, nullable=False),
        Column("runs_at", Text, nullable=False),
        PrimaryKeyConstraint("pin", "router_id", name="routers_key"),
    )


def _observations() -> None:
    op.create_table(
        "observations",
        Column("pin", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("arm", Text, nullable=False),
        Column("router_id", Text, nullable=False),
        Column("queries", BigInteger, nullable=False),
        Column("served", BigInteger, nullable=False),
        Column("fallbacks", BigInteger, nullable=False),
        Column("errors", BigInteger, nullable=False),
        Column("empty", BigInteger, nullable=False),
        Column("useful", BigInteger, nullable=False),
        Column("useless", BigInteger, nullable=False),
        Column("latency", JSON, nullable=False),
        PrimaryKeyConstraint("pin", "version", "arm", "router_id", name="observations_key"),
        CheckConstraint("arm IN ('live', 'shadow')", name="observations_arm"),
    )


def _chunks() -> None:
    op.create_table(
        "chunks",
        Column("migration_id", Text, ForeignKey("migrations.id", name="chunks_migration"), nullable=False),
        Column("tenant", Text, nullable=False),
        Column("range_start", Text, nullable=False),
        Column("range_end", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("reached", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("token", Integer, nullable=False),
        Column("rows_in", BigInteger, nullable=False),
        Column("rows_out", BigInteger, nullable=False),
        Column("failed", BigInteger, nullable=False),
        PrimaryKeyConstraint("migration_id", "tenant", "range_start", "range_end", name="chunks_range"),
        CheckConstraint("state IN ('open', 'done')", name="chunks_state"),
        CheckConstraint("range_start < range_end", name="chunks_range_order"),
        CheckConstraint("rows_in >= 0 AND rows_out >= 0 AND failed >= 0", name="chunks_counts"),
    )


def _verdicts() -> None:
    op.create_table(
        "verdicts",
        _number("id"),
        Column("migration_id", Text, ForeignKey("migrations.id", name="verdicts_migration"), nullable=False),
        Column("at", _MOMENT, nullable=False),
        Column("stage", Text, nullable=False),
        Column("outcome", Text, nullable=False),
        Column("document", JSON, nullable=False),
        CheckConstraint("outcome IN ('PASS', 'FAIL', 'INCONCLUSIVE', 'NO_DATA')", name="verdicts_outcome"),
        sqlite_autoincrement=True,
    )
    op.create_index("verdicts_of", "verdicts", ["migration_id", "id"])


def _events() -> None:
    op.create_table(
        "events",
        _number("id"),
        Column("at", _MOMENT, nullable=False),
        Column("who", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("why", Text, nullable=False),
        Column("pin", Text, nullable=False),
        Column("migration_id", Text),
        Column("detail", JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_of_pin", "events", ["pin", "id"])
    op.create_index("events_of_migration", "events", ["migration_id", "id"])


def _accounts() -> None:
    op.create_table(
        "accounts",
        Column("pin", Text, nullable=False),
        Column("migration_id", Text, nullable=False),
        Column("tokens", BigInteger, nullable=False),
        Column("nano_usd", BigInteger, nullable=False),
        Column("requests", BigInteger, nullable=False),
        Column("unsettled", BigInteger, nullable=False),
        PrimaryKeyConstraint("pin", "migration_id", name="accounts_key"),
        CheckConstraint("tokens >= 0 AND nano_usd >= 0 AND requests >= 0 AND unsettled >= 0", name="accounts_never_negative"),
    )


def _spend() -> None:
    op.create_table(
        "spend",
        _number("id"),
        Column("pin", Text, nullable=False),
        Column("migration_id", Text, nullable=False),
        Column("purpose", Text, nullable=False),
        Column("tokens", BigInteger, nullable=False),
        Column("nano_usd", BigInteger, nullable=False),
        Column("settled", Boolean, nullable=False),
        Column("at", _MOMENT, nullable=False),
        ForeignKeyConstraint(["pin", "migration_id"], ["accounts.pin", "accounts.migration_id"], name="spend_account"),
        CheckConstraint("tokens >= 0 AND nano_usd >= 0", name="spend_never_negative"),
        sqlite_autoincrement=True,
    )


def _notices() -> None:
    op.create_table(
        "notices",
        Column("id", Text, primary_key=True),
        Column("document", JSON, nullable=False),
    )


def _golden() -> None:
    op.create_table(
        "golden",
        Column("pin", Text, ForeignKey("pins.name", name="golden_pin"), nullable=False),
        Column("query_id", Text, nullable=False),
        Column("place", Integer, nullable=False),
        Column("document", JSON, nullable=False),
        PrimaryKeyConstraint("pin", "query_id", name="golden_key"),
    )


def _measurements() -> None:
    op.create_table(
        "measurements",
        Column("migration_id", Text, ForeignKey("migrations.id", name="measurements_migration"), nullable=False),
        Column("stage", Text, nullable=False),
        Column("place", Integer, nullable=False),
        Column("document", JSON, nullable=False),
        PrimaryKeyConstraint("migration_id", "stage", "place", name="measurements_key"),
    )
