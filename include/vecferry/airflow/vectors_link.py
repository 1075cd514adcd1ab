"""From a check to the page that shows what was checked, and against what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class VectorsLink(BaseOperatorLink):
    name = "Vectors"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        from airflow.sdk.configuration import conf

        return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/vecferry/migrations"
