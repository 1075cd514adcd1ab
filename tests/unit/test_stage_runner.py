"""One table of all stages: whatever has a name has an act, a sensor and, where something is to be proven, a check."""

from __future__ import annotations

import pytest

from tests.support.memory_world import make_world, request
from vecferry.domain.lifecycle import Phase
from vecferry.domain.routing import Arm, Mode
from vecferry.domain.stages import BY_NAME, EVERY, OFF_ROAD
from vecferry.domain.telemetry import Observation
from vecferry.domain.verdicts import Outcome
from vecferry.errors import BadInput, NotFound
from vecferry.steps import accept, stage_runner

WHO = {"who": "tess", "why": "a feeling"}


@pytest.fixture
def world():
    return make_world(20)


@pytest.fixture
def planned(world):
    migration_id = stage_runner.act("plan", world.ports, request())["migration_id"]
    stage_runner.act("create_shadow", world.ports, migration_id)
    return migration_id


def test_the_stages_off_the_road_start_where_the_table_of_moves_lets_them() -> None:
    assert list(EVERY) == [*BY_NAME, *(stage.name for stage in OFF_ROAD)]
    assert EVERY["roll_back"].needs == {Phase.SERVING}
    assert {Phase.PLANNED, Phase.VALIDATED, Phase.ROLLED_BACK} <= EVERY["discard"].needs
    assert not {Phase.SERVING, Phase.RETIRED} & EVERY["discard"].needs


@pytest.mark.parametrize("name", EVERY)
def test_every_stage_with_a_name_can_be_run(name, world) -> None:
    subject = request(collection="Nope") if name in ("check_deprecation", "plan") else "no-such-migration"
    with pytest.raises(NotFound):
        stage_runner.act(name, world.ports, subject, **WHO)
    with pytest.raises(NotFound):
        stage_runner.ready(name, world.ports, subject)


@pytest.mark.parametrize("part", [stage_runner.act, stage_runner.ready, stage_runner.check])
def test_a_name_that_no_stage_has_is_answered_with_those_that_exist(part, world) -> None:
    with pytest.raises(BadInput, match="retire, roll_back, discard"):
        part("rollback", world.ports, "m")


def test_going_back_needs_a_person_and_a_reason(world, planned) -> None:
    world.walk_to(planned, Phase.SERVING, 5)
    with pytest.raises(BadInput, match="vecferry rollback PIN --why"):
        stage_runner.act("roll_back", world.ports, planned, who="tess")
    assert world.ledger.migration(planned).phase is Phase.SERVING


def test_roll_back_then_discard_by_their_names(world, planned) -> None:
    world.walk_to(planned, Phase.SERVING, 5)
    assert stage_runner.act("roll_back", world.ports, planned, **WHO)["from_percent"] == 5
    assert stage_runner.ready("roll_back", world.ports, planned).done
    verdict = stage_runner.check("roll_back", world.ports, planned)
    assert verdict.passes
    assert [found.stage for _, found in world.ledger.verdicts(planned)] == ["roll_back"]
    assert world.ledger.migration(planned).phase is Phase.ROLLED_BACK
    done = stage_runner.act("discard", world.ports, planned, **WHO)
    assert done["dropped"] not in world.store.collections()
    assert stage_runner.ready("discard", world.ports, planned).done
    verdict = stage_runner.check("discard", world.ports, planned)
    assert verdict.passes, verdict.reason
    assert [found.stage for _, found in world.ledger.verdicts(planned)] == ["roll_back", "discard"]


def test_what_a_person_accepted_of_one_rollback_is_not_accepted_of_the_next(world, planned) -> None:
    """Each time the shadow still answered somebody after the percent was 0."""
    for _ in range(2):
        migration = world.ledger.migration(planned)
        if migration.phase is Phase.ROLLED_BACK:
            world.ledger.move(migration, Phase.SERVING, **WHO, routing=(Mode.DUAL, 5))
        else:
            world.walk_to(planned, Phase.SERVING, 5)
        stage_runner.act("roll_back", world.ports, planned, **WHO)
        version = world.ledger.snapshot("Docs").routing.version
        world.ledger.observe([Observation("Docs", version, Arm.SHADOW, 1, 1)], router_id="r1")
        verdict = stage_runner.check("roll_back", world.ports, planned)
        assert (verdict.outcome, verdict.accepted_by) == (Outcome.FAIL, None)
        accept.act(world.ports, planned, "roll_back", who="ana", why="one query in flight")
