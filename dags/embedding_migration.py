"""Moves a collection to another embedding model. Airflow finds the DAG by this file's `dag`."""

from vecferry.airflow import embedding_migration_dag

dag = embedding_migration_dag()
