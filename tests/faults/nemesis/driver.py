"""Takes a migration through all its stages, as an operator would: what was killed is run again, what paused is gone on with."""

from __future__ import annotations

from tests.faults.nemesis.operating import PREPARE, SWITCH, Operator
from tests.faults.nemesis.seed_world import NEW_MODEL

_WAIT_S = 25
"""What one process of a stage waits for the world."""


class Driver(Operator):
    """A process a stage."""

    def to_the_last_percent(self) -> None:
        plan = self.world.plan
        self._planned()
        for stage in PREPARE:
            self._stage(stage)
            if plan.road == "discard" and stage == plan.discard_after:
                self.discarded()
                return self._second_attempt()
        for stage in SWITCH:
            self._stage(stage)
            if plan.road == "rollback" and stage == f"cut_over_{plan.back_from}":
                self._there_and_back()
        return None

    def retire(self) -> None:
        self._stage("retire")

    def after_retire(self) -> None:
        """Clearing tasks then changes nothing."""
        self.enter("retired")
        for stage in ("retire", "backfill", "verify_parity"):
            self._step(stage)
        self.nemesis.wait()

    def end(self) -> None:
        """All that it knows is written down already."""

    def _planned(self) -> None:
        self.enter("plan")
        pin = self.world.pin
        self.done("check_deprecation", "step", "check_deprecation", pin, "--to", NEW_MODEL)
        self.done("plan", "plan", pin, "--to", NEW_MODEL, "--start", "--soak-minutes", "0")
        self.done("plan", "step", "plan", pin)
        self.nemesis.wait()

    def _stage(self, stage: str) -> None:
        self.enter(stage)
        self._step(stage)
        self.nemesis.wait()
        self.say(f"{stage}: done")

    def _step(self, stage: str) -> None:
        self.done(stage, "step", stage, self.world.pin, "--timeout", str(_WAIT_S * self.world.plan.pace))

    def _second_attempt(self) -> None:
        self._planned()
        for stage in (*PREPARE, *SWITCH):
            self._stage(stage)

    def _there_and_back(self) -> None:
        self.enter("roll_back")
        pin, before = self.world.pin, len(self.acknowledged)
        self.done("roll_back", "rollback", pin, "--why", "the nemesis goes back once", meanwhile=self.see_acknowledged)
        self.wait_acknowledged(before)
        self.verified_and_reopened()
        self.nemesis.wait()
        self.say("rolled back, verified, reopened")
        for stage in SWITCH[: SWITCH.index(f"cut_over_{self.world.plan.back_from}") + 1]:
            self._stage(stage)
