"""The few calls of Airflow's REST API that a sandbox or a test needs, with waits that say what they waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from vecferry.errors import BadInput, NotFound, Retryable
from vecferry.sandbox.wait_until import wait_until

JSON = dict[str, Any]
FINISHED = frozenset({"success", "failed"})
PAGE = 100
# An answer within a second of `awaiting_input` failed the task in 21 of 34 tries, after 3-4 s in none.
HITL_SETTLE_S = 4.0


class AirflowApi:
    """A logged-in client; ``url`` is the api-server's root. Deadlines are seconds.

    Raises ``NotFound`` and ``BadInput`` with Airflow's own words, ``Retryable`` if it cannot be reached.
    """

    def __init__(self, url: str, user: str, password: str, *, timeout_s: float = 30) -> None:
        self.url = url
        self._login = {"username": user, "password": password}
        self._token: str | None = None
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def token(self) -> str:
        """A bearer token for this user, kept until Airflow no longer takes it."""
        if self._token is None:
            answer = self._send("POST", "/auth/token", json=self._login)
            self._token = str(_understood(answer)["access_token"])
        return self._token

    def call(self, method: str, path: str, **request: Any) -> JSON:
        """Any call below ``/api/v2``; returns the answer's JSON, ``{}`` if it has none."""
        answer = self._authorised(method, path, request)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
            answer = self._authorised(method, path, request)
        return _understood(answer)

    def health(self) -> JSON:
        return self.call("GET", "/monitor/health")

    def import_errors(self) -> list[JSON]:
        return list(self.call("GET", "/importErrors")["import_errors"])

    def dag(self, dag_id: str) -> JSON:
        return self.call("GET", f"/dags/{dag_id}")

    def set_paused(self, dag_id: str, paused: bool) -> None:
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run and return its id. A conf that the DAG's params refuse is ``BadInput``."""
        body: JSON = {"logical_date": None, "conf": dict(conf or {})}
        if run_id is not None:
            body["dag_run_id"] = run_id
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> JSON:
        return self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.run(dag_id, run_id)["state"])

    def runs(self, dag_id: str) -> list[JSON]:
        """All runs of a DAG, oldest first."""
        return self._pages(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="id")

    def task_instances(self, dag_id: str, run_id: str) -> list[JSON]:
        """All task instances of a run, each mapped index one of them."""
        return self._pages(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """``{"backfill.act[3]": "success", …}``; no index for tasks that are not mapped."""
        return {task_label(task): task["state"] for task in self.task_instances(dag_id, run_id)}

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"map_index": map_index, "deserialize": True})["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1, try_number: int = 1) -> str:
        """The events of one try of a task, one to a line."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.call("GET", path, params={"map_index": map_index, "full_content": True})["content"]
        return "\n".join(_line(event) for event in content)

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str | tuple[str, int]],
        *,
        include_downstream: bool = True,
        only_failed: bool = False,
    ) -> list[str]:
        """Let tasks (or ``(task_id, map_index)``) run again; returns what was cleared.

        Without downstream the decisions that were taken after the first attempt stand, and the run fails again.
        """
        body = {
            "dag_run_id": run_id,
            "task_ids": [list(task) if isinstance(task, tuple) else task for task in task_ids],
            "include_downstream": include_downstream,
            "only_failed": only_failed,
            "reset_dag_runs": True,
            "dry_run": False,
        }
        cleared = self.call("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)
        return [task_label(task) for task in cleared["task_instances"]]

    def answer(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        options: Sequence[str],
        *,
        params: Mapping[str, Any] | None = None,
        deadline_s: float = 120,
    ) -> None:
        """Wait until a task asks a person, then answer it."""
        self.wait_for_task(dag_id, run_id, task_id, {"awaiting_input"}, deadline_s=deadline_s)
        time.sleep(HITL_SETTLE_S)
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self.call("PATCH", path, json={"chosen_options": list(options), "params_input": dict(params or {})})

    def wait_for_dag(self, dag_id: str, *, deadline_s: float = 60) -> JSON:
        """Wait until the DAG is parsed and can be triggered."""
        return wait_until(
            lambda: _or_none(lambda: self.dag(dag_id)),
            awaited=f"the DAG {dag_id}",
            deadline_s=deadline_s,
            so_far=lambda: f"import errors: {[error['stack_trace'] for error in self.import_errors()]}",
        )

    def wait_for_run(self, dag_id: str, run_id: str, *, states: Collection[str] = FINISHED, deadline_s: float = 300) -> str:
        """Wait until the run is in one of ``states``; returns which."""

        def reached() -> str | None:
            state = self.run_state(dag_id, run_id)
            return state if state in states else None

        return wait_until(
            reached,
            awaited=f"run {run_id} of {dag_id} to be {' or '.join(sorted(states))}",
            deadline_s=deadline_s,
            poll_s=0.5,
            so_far=lambda: f"its tasks: {self.task_states(dag_id, run_id)}",
        )

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Collection[str],
        *,
        map_index: int = -1,
        deadline_s: float = 120,
    ) -> JSON:
        """Wait until one task instance is in one of ``states``; returns it."""

        def reached() -> JSON | None:
            return next((task for task in self.task_instances(dag_id, run_id) if wanted(task)), None)

        def wanted(task: JSON) -> bool:
            return (task["task_id"], task["map_index"]) == (task_id, map_index) and task["state"] in states

        return wait_until(
            reached,
            awaited=f"task {task_id} of {run_id} to be {' or '.join(sorted(states))}",
            deadline_s=deadline_s,
            poll_s=0.5,
            so_far=lambda: f"the tasks: {self.task_states(dag_id, run_id)}",
        )

    def _pages(self, path: str, key: str, **params: Any) -> list[JSON]:
        rows: list[JSON] = []
        while True:
            page = self.call("GET", path, params={**params, "limit": PAGE, "offset": len(rows)})
            rows += page[key]
            if not page[key] or len(rows) >= page["total_entries"]:
                return rows

    def _authorised(self, method: str, path: str, request: Mapping[str, Any]) -> httpx.Response:
        return self._send(method, f"/api/v2{path}", headers={"Authorization": f"Bearer {self.token()}"}, **request)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Retryable(f"no answer: {error or type(error).__name__}", where=f"{self.url}{path}") from error


def _understood(answer: httpx.Response) -> JSON:
    if answer.is_success:
        return answer.json() if answer.content else {}
    kind = NotFound if answer.status_code == 404 else BadInput if answer.is_client_error else Retryable
    raise kind(f"answered {answer.status_code}: {answer.text[:1000]}", where=f"{answer.request.method} {answer.url}")


def _or_none(read: Callable[[], JSON]) -> JSON | None:
    try:
        return read()
    except (NotFound, Retryable):
        return None


def task_label(task: JSON) -> str:
    index = task.get("map_index", -1)
    return f"{task['task_id']}[{index}]" if index >= 0 else str(task["task_id"])


def _line(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    details = " ".join(
        f"{name}={value}" for name, value in event.items() if name not in {"event", "timestamp", "level", "logger"}
    )
    return " ".join(part for part in (event.get("level", ""), event.get("event", ""), details) if part)
