"""A throw-away Airflow: home and database are named before anything imports Airflow, which reads them once."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_HOME = Path(tempfile.mkdtemp(prefix="vecferry-airflow-"))
_SETTINGS = {
    "CORE__DAGS_FOLDER": ROOT / "dags",
    "CORE__PLUGINS_FOLDER": ROOT / "plugins",
    "CORE__LOAD_EXAMPLES": False,
    "CORE__UNIT_TEST_MODE": False,
    "CORE__SIMPLE_AUTH_MANAGER_USERS": "ada:admin,vic:viewer",
    "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": _HOME / "passwords.json",
    "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME / 'airflow.db'}",
    "API_AUTH__JWT_SECRET": "for-tests-only-" + "0123456789abcdef" * 4,
    "LOGGING__BASE_LOG_FOLDER": _HOME / "logs",
    "LOGGING__LOGGING_LEVEL": "WARNING",
    "USAGE_DATA_COLLECTION__ENABLED": False,
}

if "airflow" in sys.modules:
    raise RuntimeError("Airflow was imported before tests/dags named its home; whoever imports it at the top must stop")
os.environ |= {"AIRFLOW_HOME": str(_HOME), "GX_ANALYTICS_ENABLED": "False"}
os.environ |= {f"AIRFLOW__{name}": str(value) for name, value in _SETTINGS.items()}


@pytest.fixture(scope="session", autouse=True)
def _home_is_removed() -> Iterator[None]:
    yield
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    from airflow.utils.db import resetdb

    resetdb()
