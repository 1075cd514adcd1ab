"""The throw-away PostgreSQL server of the tests, which the benchmark uses too."""

from vecferry.sandbox.postgres_server import ENV, PostgresServer, find_postgres_bin

__all__ = ["ENV", "PostgresServer", "find_postgres_bin"]
