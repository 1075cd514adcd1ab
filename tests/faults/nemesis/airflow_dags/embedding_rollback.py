"""As ``embedding_migration`` beside it."""

from datetime import timedelta

from vecferry.airflow import embedding_rollback_dag

dag = embedding_rollback_dag()
for operator in dag.tasks:
    operator.retry_delay = timedelta(seconds=1)
