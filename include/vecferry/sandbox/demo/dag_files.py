"""The demo's DAG files: what a user writes who wants other defaults, three lines each, nothing forked."""

from __future__ import annotations

from pathlib import Path

_SOAK_MINUTES = 0.05
_BUDGET_USD = 5.0
_FILES = {
    "embedding_migration.py": f"""from vecferry.airflow import embedding_migration_dag

dag = embedding_migration_dag(defaults={{"soak_minutes": {_SOAK_MINUTES}, "budget_usd": {_BUDGET_USD}}})
""",
    "embedding_rollback.py": """from vecferry.airflow import embedding_rollback_dag

dag = embedding_rollback_dag()
""",
    # Without a schedule: the demo triggers it when its notice is out, and not before.
    "deprecation_watch.py": """from vecferry.airflow import deprecation_watch_dag

dag = deprecation_watch_dag(schedule=None)
""",
}


def write_dags(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in _FILES.items():
        (folder / name).write_text(text)
