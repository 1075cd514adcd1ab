"""What a ledger of another age, or no ledger at all, is answered with: the exact text, for people."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from vecferry.adapters.ledger import schema_version
from vecferry.adapters.ledger.database import Database
from vecferry.adapters.ledger.database_url import parsed
from vecferry.adapters.ledger.engine import make_engine
from vecferry.adapters.ledger.schema_version import SHIPPED, VERSION_TABLE, Revisions, open_ledger, upgrade
from vecferry.adapters.ledger.tables import metadata
from vecferry.adapters.memory.clock import ManualClock
from vecferry.errors import BadInput, NeedsPerson, Retryable

_NEXT = """
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute("ALTER TABLE notices ADD COLUMN seen_at TEXT")
    op.execute("INSERT INTO works_with (revision) VALUES ('0007')")
"""


@pytest.fixture
def next_release(tmp_path: Path) -> Revisions:
    """As the next vecferry will have them."""
    folder = tmp_path / "next"
    shutil.copytree(SHIPPED.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "0007_next.py").write_text(_NEXT)
    return Revisions(folder, "0007")


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_the_head_that_the_code_names_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(SHIPPED.folder))
    assert ScriptDirectory.from_config(config).get_heads() == [SHIPPED.head]


def _most_at_once(monkeypatch: pytest.MonkeyPatch, *, waits_s: float) -> int:
    """How many of two threads' upgrades run at the same time; each waits so long for the other."""
    both, met = threading.Barrier(2), list[int]()

    def upgrade_of(*given: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            both.wait(waits_s)
            met.append(1)

    monkeypatch.setattr(command, "upgrade", upgrade_of)
    connection: Any = None
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: schema_version._run(connection, SHIPPED), range(2)))
    return max(1, len(met))


def test_one_thread_at_a_time_has_alembics_context(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _most_at_once(monkeypatch, waits_s=0.3) == 1


def test_without_the_lock_two_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_version, "_ONE_UPGRADE", nullcontext())
    assert _most_at_once(monkeypatch, waits_s=20.0) == 2


def test_two_threads_make_two_ledgers(tmp_path: Path) -> None:
    urls = [_url(tmp_path / f"{name}.db") for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        for made in pool.map(open_ledger, urls):
            made.close()
    for url in urls:
        _assert_same_tables(url)


def test_the_revisions_make_the_tables_that_the_code_works_with(tmp_path: Path) -> None:
    open_ledger(_url(tmp_path / "ledger.db")).close()
    _assert_same_tables(_url(tmp_path / "ledger.db"))


def test_the_revisions_make_the_same_tables_on_postgresql(fresh_postgres_url: str) -> None:
    open_ledger(fresh_postgres_url).close()
    _assert_same_tables(fresh_postgres_url)


def _assert_same_tables(url: str) -> None:
    engine = make_engine(parsed(url), ManualClock())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_an_empty_database_gets_the_tables_and_its_folder(tmp_path: Path) -> None:
    url = _url(tmp_path / "new" / "folder" / "ledger.db")
    open_ledger(url).close()
    ledger = open_ledger(url)
    assert ledger.pins() == []
    ledger.close()


def test_an_older_ledger_names_the_upgrade_and_is_upgraded_by_it(tmp_path: Path, next_release: Revisions) -> None:
    url = _url(tmp_path / "ledger.db")
    open_ledger(url).close()
    with pytest.raises(BadInput) as refused:
        open_ledger(url, revisions=next_release)
    assert str(refused.value) == (
        f"ledger sqlite+pysqlite:///{tmp_path}/ledger.db: the ledger is at revision 0006, this vecferry works with 0007. "
        "Run `vecferry ledger upgrade`; what runs the release before goes on, in mid-migration too."
    )
    assert upgrade(url, revisions=next_release) == ("0006", "0007")
    assert upgrade(url, revisions=next_release) == ("0007", "0007")
    open_ledger(url, revisions=next_release).close()


def test_a_newer_ledger_that_only_has_more_in_it_is_worked_with(tmp_path: Path, next_release: Revisions) -> None:
    """Expand: the ledger is upgraded first, and what runs this release opens it, is restarted, and goes on."""
    url = _url(tmp_path / "ledger.db")
    assert upgrade(url, revisions=next_release) == (None, "0007")
    assert upgrade(url) == ("0007", "0007")
    ledger = open_ledger(url)
    ledger.save_notices([{"id": "n"}])
    assert ledger.notices() == [{"id": "n"}]
    ledger.close()


def test_a_newer_ledger_that_takes_something_away_is_left_as_it_is(tmp_path: Path, next_release: Revisions) -> None:
    """Contract: it says itself that this release cannot work with it any more."""
    url = _url(tmp_path / "ledger.db")
    version = next_release.folder / "versions" / "0007_next.py"
    version.write_text(_NEXT + "    op.execute(\"DELETE FROM works_with WHERE revision < '0007'\")\n")
    assert upgrade(url, revisions=next_release) == (None, "0007")
    for attempt in (open_ledger, upgrade):
        with pytest.raises(BadInput) as refused:
            attempt(url)
        assert str(refused.value) == (
            f"ledger sqlite+pysqlite:///{tmp_path}/ledger.db: the ledger is at revision 0007, which is newer than 0006, the "
            "one that this vecferry works with. Upgrade vecferry here; the ledger was left as it is."
        )


def test_an_upgrade_that_fails_leaves_nothing_behind(tmp_path: Path, next_release: Revisions) -> None:
    url = _url(tmp_path / "ledger.db")
    open_ledger(url).close()
    version = next_release.folder / "versions" / "0007_next.py"
    version.write_text(_NEXT + '    op.execute("ALTER TABLE nowhere ADD COLUMN x TEXT")\n')
    with pytest.raises(BadInput, match="no such table: nowhere"):
        upgrade(url, revisions=next_release)
    _assert_same_tables(url)
    open_ledger(url).close()


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)
    with pytest.raises(BadInput) as refused:
        open_ledger(_url(path))
    assert str(refused.value) == (
        f"ledger sqlite+pysqlite:///{path}: this file is not a ledger. Name another file; it was left as it is."
    )
    assert path.read_text() == "my notes\n" * 200


def test_a_damaged_ledger_asks_for_a_person(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(_url(path)).close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(NeedsPerson) as refused:
        open_ledger(_url(path)).pins()
    assert str(refused.value) == (
        f"ledger sqlite+pysqlite:///{path}: the file is damaged. Restore it from a backup, then `vecferry verify`."
    )


def test_somebody_elses_tables_are_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE events (theirs TEXT)")
    with pytest.raises(BadInput) as refused:
        open_ledger(_url(path))
    assert str(refused.value) == (
        f"ledger sqlite+pysqlite:///{path}: there are tables of these names already, and they are not a ledger's: events. "
        "Give the ledger a database, or a schema, of its own."
    )


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as refused:
        open_ledger(_url(tmp_path / "file" / "ledger.db"))
    assert str(refused.value) == (
        f"ledger {tmp_path}/file/ledger.db: its folder cannot be made: File exists. "
        f"Make {tmp_path}/file writable, or set VECFERRY_LEDGER_URL."
    )


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        open_ledger(_url(tmp_path))
    assert str(refused.value) == (
        f"ledger sqlite+pysqlite:///{tmp_path}: unable to open database file. Make the file and its folder writable."
    )


def test_a_ledger_that_may_only_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(_url(path)).close()
    with pytest.raises(BadInput, match=r"attempt to write a readonly database. Make the file and its folder writable."):
        open_ledger(f"sqlite:///file:{path}?mode=ro&uri=true").save_notices([{"id": "n"}])


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("not a url with s3cret", "VECFERRY_LEDGER_URL: the ledger's URL cannot be read."),
        ("", "VECFERRY_LEDGER_URL: the ledger's URL cannot be read."),
        ("postgresql://u:s3cret@host:port/db", "VECFERRY_LEDGER_URL: the ledger's URL cannot be read."),
        ("mysql://u:s3cret@host/db", "VECFERRY_LEDGER_URL: the ledger cannot live in mysql."),
        ("sqlite://", "VECFERRY_LEDGER_URL: a ledger in memory would forget the migration."),
        ("sqlite:///:memory:", "VECFERRY_LEDGER_URL: a ledger in memory would forget the migration."),
    ],
)
def test_a_wrong_url_is_answered_with_right_ones_and_never_shown(url: str, text: str) -> None:
    with pytest.raises(BadInput) as refused:
        open_ledger(url)
    spellings = "Write sqlite:////data/ledger.db or postgresql://user:password@host:5432/database."
    assert str(refused.value) == f"{text} {spellings}"
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@127.0.0.1:1/db", "postgresql://u@127.0.0.1:1/db?password=s3cret"])
def test_an_unreachable_ledger_may_be_tried_again_and_shows_no_password(url: str) -> None:
    with pytest.raises(Retryable) as refused:
        open_ledger(url)
    text = str(refused.value)
    assert "the ledger cannot be reached" in text
    assert "127.0.0.1:1/db" in text
    assert text.endswith("Start it, or retry later.")
    assert "s3cret" not in text + str(refused.value.__cause__)


def test_without_its_driver_postgresql_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as Python does it: the import fails
    with pytest.raises(BadInput, match=r"VECFERRY_LEDGER_URL: .*psycopg.*pip install 'vecferry\[postgres\]'"):
        open_ledger("postgresql://u:s3cret@127.0.0.1:1/db")


def test_a_database_that_does_not_exist_is_bad_input(fresh_postgres_url: str) -> None:
    with pytest.raises(BadInput, match=r'database "nowhere" does not exist. Correct the ledger\'s URL'):
        open_ledger(fresh_postgres_url.rsplit("/", 1)[0] + "/nowhere")


def test_two_that_find_a_database_empty_make_it_once(fresh_postgres_url: str) -> None:
    """Ten Airflow tasks may be the first ones together."""
    from tests.support.ledger_case import at_once

    ledgers = at_once(*(lambda: open_ledger(fresh_postgres_url) for _ in range(4)))
    assert {type(ledger).__name__ for ledger in ledgers} == {"SqlLedger"}, ledgers
    for ledger in ledgers:
        ledger.close()  # type: ignore[union-attr]


def test_a_database_is_not_kept_alive_by_its_fork_handler(tmp_path: Path) -> None:
    import gc
    import weakref

    database = Database(make_engine(parsed(_url(tmp_path / "ledger.db")), ManualClock()))
    seen = weakref.ref(database)
    database.close()
    del database
    gc.collect()
    assert seen() is None
