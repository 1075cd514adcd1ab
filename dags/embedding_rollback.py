"""Goes back to the old model. Airflow finds the DAG by this file's `dag`."""

from vecferry.airflow import embedding_rollback_dag

dag = embedding_rollback_dag()
