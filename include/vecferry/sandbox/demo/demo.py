"""The demo's parts, once they run, and the few things that every road does with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vecferry.domain.lifecycle import Migration
from vecferry.ports import Ports
from vecferry.sandbox.airflow_server import AirflowServer
from vecferry.sandbox.demo import checking, command_line
from vecferry.sandbox.demo.documents import Documents
from vecferry.sandbox.demo.fill import COLLECTION
from vecferry.sandbox.demo.folder import DemoFolder
from vecferry.sandbox.demo.migration_run import MigrationRun, started_by_watch
from vecferry.sandbox.demo.options import Options
from vecferry.sandbox.demo.provider_control import publish_notice
from vecferry.sandbox.demo.screen import Screen
from vecferry.sandbox.demo.watching import Watching
from vecferry.sandbox.provider import Address
from vecferry.sandbox.traffic.control import Control, Wish


@dataclass(frozen=True)
class Demo:
    options: Options
    folder: DemoFolder
    documents: Documents
    provider: Address
    env: Mapping[str, str]
    ports: Ports
    airflow: AirflowServer
    control: Control
    screen: Screen
    watching: Watching

    def say(self, text: str) -> None:
        self.screen.say(text)

    def migration(self) -> Migration:
        return self.ports.ledger.migrations(COLLECTION)[0]

    def percent(self) -> int:
        return self.ports.ledger.snapshot(COLLECTION).routing.percent

    def vecferry(self, *arguments: str) -> Any:
        self.say(f"$ vecferry {' '.join(a if ' ' not in a else repr(a) for a in arguments)}")
        return command_line.vecferry(self.env, *arguments)

    def start_by_notice(self) -> MigrationRun:
        """The provider says that the model ends; the watch reads it and starts the migration."""
        last_day = publish_notice(self.provider, self.options.candidate)
        self.say(f"the provider announces: sandbox-word-1 ends on {last_day}; {self.options.candidate} replaces it")
        run = started_by_watch(self.airflow.api)
        self.watching.run = run
        self.say(f"deprecation_watch started the run {run.run_id}")
        return run

    def check(self, *, both: bool) -> dict[str, Any]:
        """The checker's figures: of the authority, and with ``both`` of the pair that must be equal."""
        migration = self.migration()
        pin = self.ports.ledger.pin(COLLECTION)
        spec = migration.spec
        other = (spec.shadow, spec.space) if both else None
        return checking.check(
            self.folder, self.documents, dict(self.env), self.ports.catalogue, (pin.collection, pin.space), other
        )

    def stop_traffic(self) -> None:
        self.control.ask_and_wait(Wish.STOP)
