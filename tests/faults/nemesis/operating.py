"""What an operator does with the command line, by hand, whoever runs the stages: until it succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.faults.nemesis.injecting import Nemesis
from tests.faults.nemesis.records import JsonLines
from tests.faults.nemesis.seed_world import SeedWorld, patiently
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import NeedsPerson, VecferryError
from vecferry.sandbox.wait_until import wait_until
from vecferry.steps.readiness import acknowledged

STAGE_S = 150.0
"""A stage that is not done by then, faults and all, is stuck."""
POLL_S = 0.02
MOST_JUDGED = 3
"""A verdict that is still not PASS after so many calm tries is a person's matter; here the person accepts it."""
PREPARE = ("create_shadow", "enable_dual_write", "backfill", "verify_parity", "validate_golden_set")
SWITCH = ("cut_over_5", "cut_over_25", "cut_over_100")
_FAIL, _UNDECIDED = 1, 3


class Operator:
    """``acknowledged``: routing version of a rollback → when every router had it, in seconds since 1970."""

    def __init__(self, world: SeedWorld, nemesis: Nemesis, say: Callable[[str], None]) -> None:
        self.world = world
        self.nemesis = nemesis
        self.say = say
        self.stages = JsonLines(world.folder / "stages.jsonl")
        self._entered: set[str] = set()
        self._runs = 0
        self.acknowledged: dict[int, float] = {}
        self.accepted: list[str] = []

    def enter(self, phase: str) -> None:
        """Faults of a phase strike when it is entered first."""
        if phase not in self._entered:
            self._entered.add(phase)
            self.nemesis.begin(phase)

    # --- roads

    def discarded(self) -> None:
        self.enter("discard")
        self.done("discard", "discard", self.world.pin, "--why", "the nemesis gives up once")
        self.nemesis.wait()
        self.say("discarded; a second attempt begins")

    def verified_and_reopened(self) -> None:
        self.done("verify", "verify", self.world.pin, "--repair")
        self.done("reopen", "reopen", self.world.pin, "--why", "verified")

    def wait_acknowledged(self, before: int) -> None:
        """Until one rollback more than ``before`` is in every router."""

        def one_more() -> bool:
            self.see_acknowledged()
            return len(self.acknowledged) > before

        awaited = "every router to acknowledge the rollback"
        wait_until(one_more, awaited=awaited, deadline_s=60 * self.world.plan.pace)

    def see_acknowledged(self) -> None:
        """When the ledger first says so, as near as a look every few hundredths of a second can tell."""
        ports = self.world.ports
        try:
            migration = self.migration_now()
            if migration is None or migration.phase is not Phase.ROLLED_BACK:
                return
            backs = [r for r in ports.ledger.routings(self.world.pin) if r.mode is Mode.DUAL and r.percent == 0]
            version = backs[-1].version
            if version not in self.acknowledged and acknowledged(ports, migration, version).done:
                self.acknowledged[version] = time.time()
        except VecferryError:
            return  # the ledger is away for a moment

    # --- commands

    def done(self, stage: str, *arguments: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Runs it until it succeeds."""
        deadline = time.monotonic() + STAGE_S * self.world.plan.pace
        judged = 0
        while (code := self._ran(stage, arguments, meanwhile)) != 0:
            if time.monotonic() > deadline:
                raise NeedsPerson(
                    f"{stage} is stuck: exit code {code}", where=self._log_name(stage), next_action="Read its log."
                )
            calm = not self.nemesis.striking
            self.go_on_if_paused(calm)
            if calm and code in (_FAIL, _UNDECIDED) and self.is_judged(stage):
                judged += 1
                if judged >= MOST_JUDGED:
                    self.accept(stage)
            time.sleep(0.2)

    def _ran(self, stage: str, arguments: tuple[str, ...], meanwhile: Callable[[], None]) -> int:
        self._runs += 1
        world = self.world
        process = world.step = world.vecferry("steps", self._log_name(stage), *arguments, "--json")
        end = time.monotonic() + STAGE_S * world.plan.pace
        while process.is_running():
            meanwhile()
            if time.monotonic() > end:
                raise NeedsPerson(f"{stage} hangs", where=self._log_name(stage), next_action="Read its log.")
            time.sleep(POLL_S)
        code = process.wait(1)
        self.stages.add({"stage": stage, "began": process.began, "ended": process.ended, "exit": code, "killed": code == -9})
        return code

    def _log_name(self, stage: str) -> str:
        return f"step-{self._runs:03}-{stage}"

    def migration_now(self) -> Migration | None:
        """The newest attempt; None before the first."""
        migrations = self.world.ports.ledger.migrations(self.world.pin)
        return migrations[0] if migrations else None

    def go_on_if_paused(self, calm: bool) -> None:
        """An operator mends what paused it first."""
        if not calm:
            return
        migration = patiently(self.migration_now, awaited="the ledger")
        if migration and migration.paused:
            self.say(f"paused ({migration.paused}); unpaused")
            self._ran("unpause", ("unpause", self.world.pin), lambda: None)

    def is_judged(self, stage: str) -> bool:
        """Whether its check has spoken, and not an act that could not do its work."""
        migration = patiently(self.migration_now, awaited="the ledger")
        verdicts = patiently(lambda: self.world.ports.ledger.verdicts(migration.id), awaited="the ledger") if migration else []
        return any(verdict.stage == stage and not verdict.passes for _, verdict in verdicts)

    def accept(self, stage: str) -> None:
        self.say(f"{stage} does not pass; accepted by a person")
        self.accepted.append(stage)
        self._ran("accept", ("accept", self.world.pin, stage, "--who", "nemesis", "--why", "faults"), lambda: None)
