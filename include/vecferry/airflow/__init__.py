"""The DAGs, for a DAG file of three lines. Airflow is imported when one of them is asked for, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vecferry.airflow.deprecation_watch import deprecation_watch_dag as deprecation_watch_dag
    from vecferry.airflow.embedding_migration import embedding_migration_dag as embedding_migration_dag
    from vecferry.airflow.embedding_rollback import embedding_rollback_dag as embedding_rollback_dag

__all__ = ["deprecation_watch_dag", "embedding_migration_dag", "embedding_rollback_dag"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'vecferry.airflow' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"vecferry.airflow.{name.removesuffix('_dag')}"), name)
