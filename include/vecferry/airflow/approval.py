"""A person's yes, by Airflow's own human-in-the-loop operator, when the run asks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLRejectException
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from vecferry.airflow.ports_in_task import Connect, ports_in_task
from vecferry.airflow.request_of_run import Subject

if TYPE_CHECKING:
    from airflow.sdk import Context

    from vecferry.ports import Ports


class Approval(ApprovalOperator):
    """Returns at once when the param ``approvals`` is off. A rejection fails the task, and with it the run. ``why_skipped``
    says why neither the question nor what follows it is for this run; empty: they are.

    One retry: an answer given within a second of the question is lost by Airflow 3.3.2, which then asks again.
    """

    def __init__(
        self,
        *,
        stage: str,
        subject_of_run: Subject,
        connect: Connect,
        why_skipped: Callable[[Ports, str], str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(task_id="approve", fail_on_reject=True, retries=1, **kwargs)
        self.stage = stage
        self.subject_of_run = subject_of_run
        self.connect = connect
        self.why_skipped = why_skipped

    def execute(self, context: Context) -> Any:
        if self.why_skipped is not None:
            with ports_in_task(self.connect, context) as ports:
                why = self.why_skipped(ports, str(self.subject_of_run(context)))
            if why:
                raise AirflowSkipException(why)
        if not context["params"]["approvals"]:
            self.log.info("approvals are off for this run")
            return None
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        who = _name_of(event.get("responded_by_user"))
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException:
            # As it comes it would be retried, and the same question asked again.
            raise AirflowFailException(f"{who} rejected {self.stage}. Users stay on what serves them now.") from None
        self._record(context, who)
        return answer

    def _record(self, context: Context, who: str) -> None:
        from vecferry.ports import Event

        with ports_in_task(self.connect, context) as ports:
            migration_id = str(self.subject_of_run(context))
            pin = str(context["params"]["collection"])
            why = f"{self.stage} in Airflow"
            ports.ledger.record_event(Event(ports.clock.now(), who, "approved", why, pin, migration_id))


def _name_of(user: Any) -> str:
    return str(user.get("name") or user.get("id")) if user else "somebody"
