"""The ledger's tables. What must always hold is a constraint here, or a trigger in migrations/.

Tenants are stored as text, empty for none: in a unique constraint NULL would equal nothing, itself included.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from vecferry.adapters.ledger.column_types import BigId, UtcDateTime

metadata = MetaData()

ACTIVE = "phase NOT IN ('retired', 'discarded')"


def _number(name: str) -> Column[int]:
    """An id that is never used twice, also after its row was deleted."""
    return Column(name, BigId, Identity(), primary_key=True)


pins = Table(
    "pins",
    metadata,
    Column("name", Text, primary_key=True),
    Column("collection", Text, nullable=False),
    Column("space", Text, nullable=False),
    Column("document", JSON, nullable=False),
)

moves = Table(
    "moves",
    metadata,
    Column("origin", Text, nullable=False),
    Column("target", Text, nullable=False),
    PrimaryKeyConstraint("origin", "target", name="moves_key"),
)
"""``domain.lifecycle.MOVES``; the trigger on ``migrations`` reads it."""

migrations = Table(
    "migrations",
    metadata,
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
    Column("protocol_version", Integer, nullable=False, server_default="1"),
    UniqueConstraint("id", name="migrations_id"),
    UniqueConstraint("pin", "shadow", name="migrations_shadow_is_new"),
    CheckConstraint(
        "phase IN ('planned', 'shadow_created', 'dual_writing', 'backfilled', 'verified', 'validated', 'serving',"
        " 'retired', 'rolled_back', 'discarded')",
        name="migrations_phase",
    ),
    CheckConstraint("percent BETWEEN 0 AND 100", name="migrations_percent"),
    CheckConstraint("percent = 0 OR phase IN ('serving', 'retired')", name="migrations_percent_when_serving"),
    Index("migrations_one_active", "pin", unique=True, sqlite_where=text(ACTIVE), postgresql_where=text(ACTIVE)),
    sqlite_autoincrement=True,
)

_MODES = "mode IN ('live_only', 'dual', 'freeze')"
_PERCENT = "percent BETWEEN 0 AND 100 AND (percent = 0 OR mode <> 'live_only')"

routing_versions = Table(
    "routing_versions",
    metadata,
    Column("pin", Text, ForeignKey("pins.name", name="routing_versions_pin"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("authority", Text, nullable=False),
    Column("migration_id", Text, ForeignKey("migrations.id", name="routing_versions_migration")),
    Column("reason", Text, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("pin", "version", name="routing_versions_key"),
    CheckConstraint(_MODES, name="routing_versions_mode"),
    CheckConstraint(_PERCENT, name="routing_versions_percent"),
)

routing = Table(
    "routing",
    metadata,
    Column("pin", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("authority", Text, nullable=False),
    Column("migration_id", Text),
    Column("reason", Text, nullable=False),
    Column("published_at", UtcDateTime, nullable=False),
    ForeignKeyConstraint(
        ["pin", "version"], ["routing_versions.pin", "routing_versions.version"], name="routing_is_in_its_history"
    ),
    Index("routing_migration", "migration_id"),
)
"""The current version of each pin: one row, so that it can be locked."""

journal = Table(
    "journal",
    metadata,
    _number("id"),
    Column("migration_id", Text, ForeignKey("migrations.id", name="journal_migration"), nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('write', 'backfill', 'parity')", name="journal_kind"),
    Index("journal_key", "migration_id", "tenant", "key"),
    Index("journal_order", "migration_id", "id"),
    sqlite_autoincrement=True,
)

routers = Table(
    "routers",
    metadata,
    Column("pin", Text, ForeignKey("pins.name", name="routers_pin"), nullable=False),
    Column("router_id", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("lease_s", Float, nullable=False),
    Column("acknowledged_version", Integer, nullable=False),
    Column("protocol_version", Integer, nullable=False),
    Column("runs_at", Text, nullable=False),
    Column("dismissed_at", UtcDateTime),
    PrimaryKeyConstraint("pin", "router_id", name="routers_key"),
)

observations = Table(
    "observations",
    metadata,
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
    Column("last_served_at", UtcDateTime),
    PrimaryKeyConstraint("pin", "version", "arm", "router_id", name="observations_key"),
    CheckConstraint("arm IN ('live', 'shadow')", name="observations_arm"),
)
"""A row per router, so that routers do not wait for each other; readers add them up."""

chunks = Table(
    "chunks",
    metadata,
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

verdicts = Table(
    "verdicts",
    metadata,
    _number("id"),
    Column("migration_id", Text, ForeignKey("migrations.id", name="verdicts_migration"), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("stage", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("document", JSON, nullable=False),
    CheckConstraint("outcome IN ('PASS', 'FAIL', 'INCONCLUSIVE', 'NO_DATA')", name="verdicts_outcome"),
    Index("verdicts_of", "migration_id", "id"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    _number("id"),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("pin", Text, nullable=False),
    Column("migration_id", Text),
    Column("detail", JSON, nullable=False),
    Index("events_of_pin", "pin", "id"),
    Index("events_of_migration", "migration_id", "id"),
    sqlite_autoincrement=True,
)

accounts = Table(
    "accounts",
    metadata,
    Column("pin", Text, nullable=False),
    Column("migration_id", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nano_usd", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    PrimaryKeyConstraint("pin", "migration_id", name="accounts_key"),
    CheckConstraint("tokens >= 0 AND nano_usd >= 0 AND requests >= 0 AND unsettled >= 0", name="accounts_never_negative"),
)
"""The running sums of ``spend``: a budget is checked and booked by one update. Whole nano-dollars, so that sums are
exact and a refund cannot end at −1e-18. ``migration_id`` is empty for what a pin spends outside of migrations."""

spend = Table(
    "spend",
    metadata,
    _number("id"),
    Column("pin", Text, nullable=False),
    Column("migration_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nano_usd", BigInteger, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("requests", BigInteger, nullable=False, server_default="1"),
    Column("through", BigInteger),
    ForeignKeyConstraint(["pin", "migration_id"], ["accounts.pin", "accounts.migration_id"], name="spend_account"),
    CheckConstraint("tokens >= 0 AND nano_usd >= 0", name="spend_never_negative"),
    sqlite_autoincrement=True,
)
"""A row a request, until a row of the sum by purpose takes the place of the settled ones up to the id in ``through``."""

notices = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", JSON, nullable=False),
)

golden = Table(
    "golden",
    metadata,
    Column("pin", Text, ForeignKey("pins.name", name="golden_pin"), nullable=False),
    Column("query_id", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("pin", "query_id", name="golden_key"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("migration_id", Text, ForeignKey("migrations.id", name="measurements_migration"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("place", Integer, nullable=False),
    Column("document", JSON, nullable=False),
    PrimaryKeyConstraint("migration_id", "stage", "place", name="measurements_key"),
)

capacity = Table(
    "capacity",
    metadata,
    Column("account", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("began_at", UtcDateTime, nullable=False),
    Column("state", JSON, nullable=False),
    PrimaryKeyConstraint("account", "model", name="capacity_key"),
)
"""What is used of a provider's limits, by ``domain.capacity``: one row, so that it can be locked; its times are seconds since
``began_at``. ``account`` is a digest that tells neither server nor key."""

works_with = Table("works_with", metadata, Column("revision", Text, primary_key=True))
"""Which code may use this ledger, by the revision that the code was made for: each additive revision adds its own and
leaves the others; one that takes something away takes out those that would miss it."""

host_clock = Table(
    "host_clock",
    metadata,
    Column("boot", Text, primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
)
"""On SQLite: when, by the wall clock, this boot of the host began. With the time since boot it is the ledger's clock."""
