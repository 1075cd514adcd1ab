"""Starts a migration when a provider says that a model ends. Airflow finds the DAG by this file's `dag`."""

from vecferry.airflow import deprecation_watch_dag

dag = deprecation_watch_dag()
