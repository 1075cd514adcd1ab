"""The product's DAG as anybody would declare it, but for retries: after a second where production waits for 15."""

from datetime import timedelta

from vecferry.airflow import embedding_migration_dag

dag = embedding_migration_dag(defaults={"soak_minutes": 0})
for operator in dag.tasks:
    operator.retry_delay = timedelta(seconds=1)
