"""Takes a migration through all its stages, as an operator would: what was killed is run again, what paused is gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.faults.nemesis.injecting import Nemesis
from tests.faults.nemesis.records import JsonLines
from tests.faults.nemesis.seed_world import NEW_MODEL, SeedWorld, patiently
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.routing import Mode
from vecferry.errors import NeedsPerson, VecferryError
from vecferry.sandbox.wait_until import wait_until
from vecferry.steps.readiness import acknowledged

_STAGE_S = 150.0
"""A stage that is not done by then, faults and all, is stuck."""
_WAIT_S = 25
"""What one process of it waits for the world."""
_POLL_S = 0.02
_MOST_JUDGED = 3
"""A verdict that is still not PASS after so many calm tries is a person's matter; here the person accepts it."""
_PREPARE = ("create_shadow", "enable_dual_write", "backfill", "verify_parity", "validate_golden_set")
_SWITCH = ("cut_over_5", "cut_over_25", "cut_over_100")
_FAIL, _UNDECIDED = 1, 3


class Driver:
    """``acknowledged``: routing version of a rollback → when every router had it, in seconds since 1970."""

    def __init__(self, world: SeedWorld, nemesis: Nemesis, say: Callable[[str], None]) -> None:
        self._world = world
        self._nemesis = nemesis
        self._say = say
        self._stages = JsonLines(world.folder / "stages.jsonl")
        self._entered: set[str] = set()
        self._runs = 0
        self.acknowledged: dict[int, float] = {}
        self.accepted: list[str] = []

    def to_the_last_percent(self) -> None:
        plan = self._world.plan
        self._planned()
        for stage in _PREPARE:
            self._stage(stage)
            if plan.road == "discard" and stage == plan.discard_after:
                self._discarded()
                return self._second_attempt()
        for stage in _SWITCH:
            self._stage(stage)
            if plan.road == "rollback" and stage == f"cut_over_{plan.back_from}":
                self._there_and_back()
        return None

    def retire(self) -> None:
        self._stage("retire")

    def after_retire(self) -> None:
        """Clearing tasks then changes nothing."""
        self._enter("retired")
        for stage in ("retire", "backfill", "verify_parity"):
            self._done(stage, "step", stage, self._world.pin, "--timeout", str(_WAIT_S * self._world.plan.pace))
        self._nemesis.wait()

    # --- phases -------------------------------------------------------------------------------------------------------

    def _enter(self, phase: str) -> None:
        """Faults of a phase strike when it is entered first."""
        if phase not in self._entered:
            self._entered.add(phase)
            self._nemesis.begin(phase)

    def _planned(self) -> None:
        self._enter("plan")
        pin = self._world.pin
        self._done("check_deprecation", "step", "check_deprecation", pin, "--to", NEW_MODEL)
        self._done("plan", "plan", pin, "--to", NEW_MODEL, "--start", "--soak-minutes", "0")
        self._done("plan", "step", "plan", pin)
        self._nemesis.wait()

    def _stage(self, stage: str) -> None:
        self._enter(stage)
        self._done(stage, "step", stage, self._world.pin, "--timeout", str(_WAIT_S * self._world.plan.pace))
        self._nemesis.wait()
        self._say(f"{stage}: done")

    def _second_attempt(self) -> None:
        self._planned()
        for stage in (*_PREPARE, *_SWITCH):
            self._stage(stage)

    def _discarded(self) -> None:
        self._enter("discard")
        self._done("discard", "discard", self._world.pin, "--why", "the nemesis gives up once")
        self._nemesis.wait()
        self._say("discarded; a second attempt begins")

    def _there_and_back(self) -> None:
        self._enter("roll_back")
        pin, began = self._world.pin, len(self.acknowledged)
        self._done("roll_back", "rollback", pin, "--why", "the nemesis goes back once", meanwhile=self._see_acknowledged)
        wait_until(
            lambda: self._see_acknowledged() or len(self.acknowledged) > began,
            awaited="every router to acknowledge the rollback",
            deadline_s=60,
        )
        self._done("verify", "verify", pin, "--repair")
        self._done("reopen", "reopen", pin, "--why", "verified")
        self._nemesis.wait()
        self._say("rolled back, verified, reopened")
        for stage in _SWITCH[: _SWITCH.index(f"cut_over_{self._world.plan.back_from}") + 1]:
            self._stage(stage)

    def _see_acknowledged(self) -> None:
        """When the ledger first says so, as near as a look every few hundredths of a second can tell."""
        ports = self._world.ports
        try:
            migration = self._migration_now()
            if migration.phase is not Phase.ROLLED_BACK:
                return
            backs = [r for r in ports.ledger.routings(self._world.pin) if r.mode is Mode.DUAL and r.percent == 0]
            version = backs[-1].version
            if version not in self.acknowledged and acknowledged(ports, migration, version).done:
                self.acknowledged[version] = time.time()
        except VecferryError:
            return  # the ledger is away for a moment

    # --- processes ----------------------------------------------------------------------------------------------------

    def _done(self, stage: str, *arguments: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Runs it until it succeeds."""
        deadline = time.monotonic() + _STAGE_S * self._world.plan.pace
        judged = 0
        while (code := self._ran(stage, arguments, meanwhile)) != 0:
            if time.monotonic() > deadline:
                raise NeedsPerson(
                    f"{stage} is stuck: exit code {code}", where=self._log_name(stage), next_action="Read its log."
                )
            calm = not self._nemesis.striking
            self._go_on_if_paused(calm)
            if calm and code in (_FAIL, _UNDECIDED) and self._is_judged(stage):
                judged += 1
                if judged >= _MOST_JUDGED:
                    self._accept(stage)
            time.sleep(0.2)

    def _ran(self, stage: str, arguments: tuple[str, ...], meanwhile: Callable[[], None]) -> int:
        self._runs += 1
        world = self._world
        process = world.step = world.vecferry("steps", self._log_name(stage), *arguments, "--json")
        end = time.monotonic() + _STAGE_S * world.plan.pace
        while process.is_running():
            meanwhile()
            if time.monotonic() > end:
                raise NeedsPerson(f"{stage} hangs", where=self._log_name(stage), next_action="Read its log.")
            time.sleep(_POLL_S)
        code = process.wait(1)
        self._stages.add({"stage": stage, "began": process.began, "ended": process.ended, "exit": code, "killed": code == -9})
        return code

    def _log_name(self, stage: str) -> str:
        return f"step-{self._runs:03}-{stage}"

    def _migration_now(self) -> Migration:
        return self._world.ports.ledger.migrations(self._world.pin)[0]

    def _go_on_if_paused(self, calm: bool) -> None:
        """An operator mends what paused it first."""
        if not calm:
            return
        migrations = patiently(lambda: self._world.ports.ledger.migrations(self._world.pin), awaited="the ledger")
        if migrations and migrations[0].paused:
            self._say(f"paused ({migrations[0].paused}); unpaused")
            self._ran("unpause", ("unpause", self._world.pin), lambda: None)

    def _is_judged(self, stage: str) -> bool:
        """Whether its check has spoken, and not an act that could not do its work."""
        migration = patiently(self._migration_now, awaited="the ledger")
        verdicts = patiently(lambda: self._world.ports.ledger.verdicts(migration.id), awaited="the ledger")
        return any(verdict.stage == stage and not verdict.passes for _, verdict in verdicts)

    def _accept(self, stage: str) -> None:
        self._say(f"{stage} does not pass; accepted by a person")
        self.accepted.append(stage)
        self._ran("accept", ("accept", self._world.pin, stage, "--who", "nemesis", "--why", "faults"), lambda: None)
