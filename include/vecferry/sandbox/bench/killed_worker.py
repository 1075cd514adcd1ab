"""What ``kill -9`` of a backfill's process costs: objects that are embedded once more, by what the provider itself counted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vecferry.sandbox.bench.backfill_world import PATIENT
from vecferry.sandbox.bench.copier import Copier, Job, job_of
from vecferry.sandbox.bench.figure import Figure
from vecferry.sandbox.bench.mixed_vectors import MixedEmbedders, MixedVectors, bench_card
from vecferry.sandbox.bench.world import BODY, Servers
from vecferry.sandbox.models import DIMENSIONS
from vecferry.sandbox.provider import ProviderState, running
from vecferry.sandbox.wait_until import wait_until

_OBJECTS, _KILLS = 6_000, 5
_MOST_AGAIN = 2 * 250
"""The default of pages in flight, in objects. Not the product's own constants: a figure by these would not see them grow."""
_PATIENCE_S = 900.0


class _Served:
    """What ``MixedEmbedders`` would answer, over HTTP."""

    name = "new"

    def __init__(self) -> None:
        self._model = MixedVectors(bench_card(self.name, DIMENSIONS))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        return self._model.mixed(texts)


def measure(servers: Servers, objects: int = _OBJECTS, kills: int = _KILLS) -> Iterator[Figure]:
    state = ProviderState({_Served.name: _Served()})
    state.usage.detailed = True
    with (
        servers.migration(objects, timings=PATIENT, embedders=MixedEmbedders(DIMENSIONS)) as world,
        running(state) as address,
        tempfile.TemporaryDirectory() as folder,
    ):
        job = job_of(world.before_backfill(), DIMENSIONS, provider_url=address.openai_url)
        lives = []
        for life in range(kills + 1):
            until = objects * (life + 1) // (kills + 1) if life < kills else None
            lives.append(_one_life(job, state, Path(folder) / f"copier-{life}.log", until))
        copies = world.ports.store.count(world.migration.spec.shadow)
    assert len({text for life in lives for text in life}) == objects == copies, "not all were embedded and copied"
    yield figure_of(lives)


def figure_of(lives: Sequence[Sequence[str]]) -> Figure:
    """``lives``: the texts that each process had embedded, in order; all but the last were killed."""
    seen: set[str] = set()
    again = []
    for life in lives:
        again.append(0)
        for text in life:
            again[-1] += text in seen
            seen.add(text)
    said = f"{', '.join(map(str, again[1:]))} of {len(seen):,} after {len(lives) - 1} kills; without one {again[0]}"
    return Figure("embedded again after a kill -9, at most", max(again), _MOST_AGAIN, "objects", said)


def _one_life(job: Job, state: ProviderState, log: Path, until: int | None) -> list[str]:
    """Runs until so many different objects have been embedded, by all processes; ``None``: until it is done."""
    before = len(_embedded(state))
    with Copier(job, log) as copier:
        if until is None:
            copier.copied(_PATIENCE_S)
        else:
            enough = lambda: not copier.is_running() or len(set(_embedded(state))) >= until  # noqa: E731
            wait_until(enough, awaited=f"{until} objects at the provider", deadline_s=_PATIENCE_S, poll_s=0.02)
            assert copier.is_running(), f"it ended before it was killed:\n{copier.log_tail()}"
            copier.kill()
    return _embedded(state)[before:]


def _embedded(state: ProviderState) -> list[str]:
    """The documents among all inputs that were billed; the others are the witness of each request."""
    billed = (request["texts"] for request in state.usage.requests() if request["billed"])
    return [text for texts in billed for text in texts if text.startswith(BODY)]  # type: ignore[attr-defined]
