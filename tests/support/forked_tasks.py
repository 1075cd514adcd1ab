"""A Celery application whose Router is connected in the main process, before the pool is forked. The broker is a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_shutdown

from tests.support.forked_web import router, whereabouts

_FOLDER = Path(os.environ["FORKED_TASKS_FOLDER"])

tasks = Celery("forked_tasks", broker="filesystem://", backend=f"file://{_FOLDER / 'results'}")
tasks.conf.update(
    broker_transport_options={
        "data_folder_in": str(_FOLDER / "queue"),
        "data_folder_out": str(_FOLDER / "queue"),
        "control_folder": str(_FOLDER / "control"),
    },
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@tasks.task
def put(key: str, body: str) -> dict[str, Any]:
    receipt = router.put(key, {"body": body}, timeout=30)
    return {"followed": receipt.wait(60)} | whereabouts()


@worker_process_shutdown.connect
def leave(**_: Any) -> None:
    router.close()
