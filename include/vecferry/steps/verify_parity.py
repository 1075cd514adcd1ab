"""VDiff: both sides scanned, both hashes recomputed, the index asked, a sample embedded again; repaired under rows until a
pass is clean."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from vecferry.domain.journal import RowKind
from vecferry.domain.left_out import left_out_reason
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.mixing import USUAL_SAMPLE
from vecferry.domain.objects import StoredObject
from vecferry.domain.shadow import ShadowSpec, differences
from vecferry.domain.sweeping import NativeChange, Sweep, native_change
from vecferry.errors import NeedsPerson, Retryable
from vecferry.ports import Ports
from vecferry.protocol.not_indexed import not_indexed
from vecferry.steps import drift, restored_ledger, sweeps
from vecferry.steps.both_sides import ListedPage, page_of_both
from vecferry.steps.copying import copy_keys
from vecferry.steps.create_shadow import copy_tenants
from vecferry.steps.foreign_vectors import embed_again, refuse_to_mend_a_changed_model
from vecferry.steps.outliers import Outliers
from vecferry.steps.page_size import PageSize
from vecferry.steps.readiness import YES, Ready, recorded
from vecferry.steps.sampling import count_all
from vecferry.steps.standing import has_work, refuse_if_paused
from vecferry.steps.tenants import awake
from vecferry.steps.told_in_log import ToldInLog

_PAGE = 1_000
_MENDED_TOGETHER = 250
"""What a busy store takes within a call's time."""
_LOOKS = 2
_MOST_PASSES = 5
_EXAMPLES = 10
CLEAN_PASS = "parity_clean_pass"
ALARM = "parity_alarm"
_PLACE = ("tenant", "after", "incarnations")
_COUNTED = ("objects_live", "objects_shadow", "in_flight", "uncovered", "unindexed", "mended")
Progress = Callable[["Pass"], None]


@dataclass
class Pass:
    """One pass over both collections. ``uncovered`` differences had no journal row: an assumption broke.

    ``foreign``: of the ``reembedded`` vectors of the shadow, those that are not what the new model gives for their text.
    ``native``: what applications that bypass the Router wrote to live alone, where the migration sweeps; ``mended`` of it.
    ``left_out``: copies whose vector is of a part of the text, or missing, by the reason that they state.
    ``began`` is the ledger's time, ``incarnations`` the servers' own, ``tenant`` and ``after`` say how far the scan is.
    """

    objects_live: int = 0
    objects_shadow: int = 0
    in_flight: int = 0
    uncovered: int = 0
    unindexed: int = 0
    reembedded: int = 0
    foreign: int = 0
    native: Counter[NativeChange] = field(default_factory=Counter)
    native_examples: list[str] = field(default_factory=list)
    mended: int = 0
    began: datetime | None = None
    incarnations: dict[str, str] = field(default_factory=dict)
    tenant: str | None = None
    after: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    outliers: Outliers = field(default_factory=Outliers, repr=False)

    @property
    def differences(self) -> int:
        return self.unexplained + self.left_over

    @property
    def unexplained(self) -> int:
        return self.uncovered + self.unindexed + self.foreign

    @property
    def left_over(self) -> int:
        """Native changes that are not in the shadow yet: all, where the pass only looks."""
        return self.native.total() - self.mended

    def as_dict(self) -> dict[str, Any]:
        return {
            "objects_live": self.objects_live,
            "objects_shadow": self.objects_shadow,
            "in_flight": self.in_flight,
            "differences": self.differences,
            "unindexed": self.unindexed,
            "reembedded": self.reembedded,
            "foreign": self.foreign,
            "left_out": dict(self.left_out),
            "kinds": dict(self.kinds),
            "examples": self.examples,
            **({"native": dict(self.native), "mended": self.mended} if self.native else {}),
        }

    def as_sweep(self, ended: datetime) -> Sweep:
        new, changed, deleted = (self.native[kind] for kind in (NativeChange.NEW, NativeChange.CHANGED, NativeChange.DELETED))
        return Sweep(
            began=self.began or ended,
            ended=ended,
            objects=self.objects_live,
            new=new,
            changed=changed,
            deleted=deleted,
            mended=self.mended,
            left_over=self.left_over,
            unexplained=self.unexplained,
            examples=tuple([*self.native_examples, *self.examples][:_EXAMPLES]),
        )

    def as_progress(self) -> dict[str, Any]:
        """JSON-able: where the scan is and what it has counted, for ``stopped_at``. Not how its vectors point."""
        plain = {name: getattr(self, name) for name in (*_COUNTED, *_PLACE, "examples", "native_examples")}
        began = self.began.isoformat() if self.began else None
        counters = {name: dict(getattr(self, name)) for name in ("native", "kinds", "left_out")}
        return plain | {"began": began} | counters

    @classmethod
    def stopped_at(cls, progress: Mapping[str, Any]) -> Pass:
        given = dict(progress)
        began = datetime.fromisoformat(given.pop("began"))
        native = Counter({NativeChange(kind): number for kind, number in given.pop("native").items()})
        left_out = Counter(given.get("left_out") or {})  # a pass that an earlier release began has not counted them
        return cls(**given | {"began": began, "native": native, "kinds": Counter(given["kinds"]), "left_out": left_out})


def act(
    ports: Ports, migration_id: str, progress: Progress | None = None, *, sample: int | None = USUAL_SAMPLE
) -> dict[str, Any]:
    """Passes with repair until one is clean; a pass that never gets clean is a person's matter. ``sample``: as ``compare``."""
    migration = ports.ledger.migration(migration_id)
    repair = migration.phase is not Phase.RETIRED  # after the flip nothing copies, in either direction
    if repair and migration.phase is not Phase.ROLLED_BACK:
        has_work("verify_parity", migration)
        refuse_if_paused(migration)
    if not repair:
        return {"retired": True}
    restored_ledger.refuse(ports, migration)
    drift.follow(ports, migration)
    for number in range(1, _MOST_PASSES + 1):
        result = compare(ports, migration, repair=True, progress=progress, sample=sample)
        if migration.sweeps:
            sweeps.record(ports, migration, result.as_sweep(ports.ledger.now()))
        if result.differences == 0:
            note_clean(ports, migration, result, f"pass {number}")
            return result.as_dict() | {"passes": number}
    raise NeedsPerson(
        f"after {_MOST_PASSES} passes {result.differences} differences are left, e.g. {result.examples[:3]}",
        where=migration.spec.shadow,
        next_action="Look for writers that bypass the Router, and for READONLY shards; then clear the task.",
    )


def ready(ports: Ports, migration_id: str) -> Ready:
    """A clean pass younger than the limit."""
    migration = ports.ledger.migration(migration_id)
    if migration.phase is Phase.RETIRED or last_clean_pass(ports, migration, ports.gates.parity_max_age_s):
        return YES
    return Ready(False, f"a clean pass younger than {ports.gates.parity_max_age_s:.0f} s")


def note_clean(ports: Ports, migration: Migration, result: Pass, why: str) -> None:
    recorded(ports, migration, CLEAN_PASS, why, **result.as_dict(), incarnations=result.incarnations)


def restarted_since(ports: Ports, migration: Migration) -> bool:
    """Whether a server has restarted since the newest clean pass began, so that its index may have forgotten since."""
    now = ports.store.incarnations()
    passes = ports.ledger.events(migration_id=migration.id, what=CLEAN_PASS)
    if not now or not passes:
        return False
    before = passes[-1].detail.get("incarnations")  # a pass of an earlier release has none
    return not before or any(before.get(node, told) != told for node, told in now.items())


def last_clean_pass(ports: Ports, migration: Migration, max_age_s: float) -> Mapping[str, Any] | None:
    """What the newest clean pass counted, if it is young enough."""
    oldest = ports.ledger.now() - timedelta(seconds=max_age_s)
    passes = [e for e in ports.ledger.events(migration_id=migration.id, what=CLEAN_PASS) if e.at >= oldest]
    return passes[-1].detail if passes else None


def compare(
    ports: Ports,
    migration: Migration,
    *,
    repair: bool,
    progress: Progress | None = None,
    sample: int | None = USUAL_SAMPLE,
    vectors: bool = True,
    so_far: Pass | None = None,
) -> Pass:
    """Scans both sides in step, page by page; with ``repair`` each difference is reconciled under a row (rule 12).

    ``sample`` vectors of the shadow are embedded again (``None``: all, 0: none), and those that point furthest off the others.
    Without ``vectors`` contents and stamps are compared alone: neither where vectors point nor whether the index finds them.
    ``so_far`` is a pass to go on with; it is kept up to date, also where this raises. Sleeping tenants are woken meanwhile.
    """
    result = so_far or Pass()
    result.began = result.began or ports.ledger.now()
    result.incarnations = result.incarnations or ports.store.incarnations()
    with awake(ports, migration) as woken:
        _scan(woken, migration, result, repair=repair, progress=progress, vectors=vectors)
        later = repair and result.differences  # it is paid for once, in the pass after the repair
        if vectors and sample != 0 and not later:
            _embed_again(woken, migration, result, sample, repair=repair)
    return result


def _scan(ports: Ports, migration: Migration, result: Pass, *, repair: bool, progress: Progress | None, vectors: bool) -> None:
    names = set(ports.store.tenants(migration.spec.live)) | set(ports.store.tenants(migration.spec.shadow))
    tenants: list[str | None] = [name for name in sorted(names) if name >= (result.tenant or "")] or [None]
    if repair:
        copy_tenants(ports, migration)
    told = ToldInLog(ports.clock, f"{migration.id}: compared", lambda: count_all(ports.store, migration.spec.live))
    for tenant in tenants:
        result.tenant, result.after = tenant, result.after if tenant == result.tenant else ""
        with closing(_pages(ports, migration, result.after, tenant, vectors=vectors)) as pages:
            for page in pages:
                _compare_page(ports, migration, page, tenant, result, repair=repair, vectors=vectors)
                result.after = page.keys[-1]
                told(result.objects_live)
                if progress is not None:
                    progress(result)


def _pages(
    ports: Ports, migration: Migration, after: str, tenant: str | None, *, vectors: bool
) -> Generator[ListedPage, None, None]:
    """One is read ahead: the store is at work while hashes are computed. What is older by it and differs is read again."""
    size = PageSize(_PAGE)

    def read(after: str) -> ListedPage:
        return page_of_both(ports.store, migration.spec, after=after, limit=size.keys, tenant=tenant, vectors=vectors)

    with ports.executor(1) as executor:
        ahead = executor.submit(read, after)
        while (page := ahead.result()).keys:
            size.seen(page.shadow.values() or page.live.values())
            ahead = executor.submit(read, page.keys[-1])
            yield page


def _compare_page(
    ports: Ports, migration: Migration, page: ListedPage, tenant: str | None, result: Pass, *, repair: bool, vectors: bool
) -> None:
    live, shadow = page.live, page.shadow
    found = _differing(migration.spec, page.keys, live, shadow, vectors=vectors)
    result.objects_live += len(live)
    result.objects_shadow += len(shadow)
    result.left_out.update(reason for copy in shadow.values() if (reason := left_out_reason(copy)))
    found, covered = _still_there(ports, migration, found, tenant, vectors=vectors) if found else (found, set())
    uncovered = {key: why for key, why in found.items() if key not in covered}
    native = _native(migration, uncovered)
    uncovered = {key: why for key, why in uncovered.items() if key not in native}
    result.in_flight += len(set(found) & covered)
    _note(result, uncovered)
    unindexed = _look_at_vectors(ports, migration, shadow, found, tenant, result) if vectors else set()
    if uncovered:
        _alarm(ports, migration, uncovered)
    if native:
        _note_native(ports, migration, native, result)
    if repair:
        in_sync = _mend(ports, migration, [*uncovered, *native, *unindexed], tenant, reinsert=unindexed)
        result.mended += len(in_sync & set(native))


def _look_at_vectors(
    ports: Ports,
    migration: Migration,
    shadow: Mapping[str, StoredObject],
    found: Mapping[str, Sequence[str]],
    tenant: str | None,
    result: Pass,
) -> set[str]:
    """Which copies no search finds; those that were ``found`` to differ are not asked for."""
    name = migration.spec.vector_name
    result.outliers.add({(tenant, key): obj.vectors[name] for key, obj in shadow.items() if obj.vectors.get(name)})
    unindexed = _unindexed(ports, migration, {key: obj for key, obj in shadow.items() if key not in found}, tenant)
    result.unindexed += len(unindexed)
    result.examples = (result.examples + [f"{key}: not indexed" for key in sorted(unindexed)])[:_EXAMPLES]
    return unindexed


def _native(migration: Migration, uncovered: Mapping[str, Sequence[str]]) -> dict[str, NativeChange]:
    """What is expected where applications bypass the Router, and an alarm where none does."""
    kinds = {key: native_change(why) for key, why in uncovered.items()} if migration.sweeps else {}
    return {key: kind for key, kind in kinds.items() if kind is not None}


def _note_native(ports: Ports, migration: Migration, native: Mapping[str, NativeChange], result: Pass) -> None:
    """Before the repair: who dies in between must not have wiped out the trace of a writer that has not moved."""
    examples = [f"{key}: {kind}" for key, kind in native.items()]
    if result.began is not None:
        sweeps.note_native_writes(ports, migration, examples[:_EXAMPLES], since=result.began)
    result.native.update(native.values())
    result.native_examples = (result.native_examples + examples)[:_EXAMPLES]


def _mend(ports: Ports, migration: Migration, keys: list[str], tenant: str | None, *, reinsert: set[str]) -> set[str]:
    """Which are in agreement now."""
    in_sync: set[str] = set()
    for start in range(0, len(keys), _MENDED_TOGETHER):
        done = copy_keys(
            ports,
            migration,
            keys[start : start + _MENDED_TOGETHER],
            tenant=tenant,
            owner=f"parity:{uuid.uuid4().hex[:8]}",
            kind=RowKind.PARITY,
            reinsert=reinsert,
        )
        in_sync |= done.in_sync
    return in_sync


def _differing(
    spec: ShadowSpec,
    keys: Sequence[str],
    live: Mapping[str, StoredObject],
    shadow: Mapping[str, StoredObject],
    *,
    vectors: bool,
) -> dict[str, list[str]]:
    return {key: why for key in keys if (why := differences(spec, live.get(key), shadow.get(key), vectors=vectors))}


def _still_there(
    ports: Ports, migration: Migration, found: dict[str, list[str]], tenant: str | None, *, vectors: bool
) -> tuple[dict[str, list[str]], set[str]]:
    """What still differs, and which of it rows cover. Two reads are not one: an application may have written between them, and
    its row come and gone. So what no row covers is read again, by id; rows are asked for before it and after it (rule 12).
    Twice: an object that is written without a pause may meet even that once."""
    spec, store, ledger = migration.spec, ports.store, ports.ledger
    covered = ledger.covered(migration.id, list(found), tenant=tenant)
    for _ in range(_LOOKS):
        doubtful = [key for key in found if key not in covered]
        if not doubtful:
            break
        live = store.read(spec.live, doubtful, tenant=tenant, vectors=spec.read_of(spec.live))
        again = _differing(spec, doubtful, live, store.read(spec.shadow, doubtful, tenant=tenant), vectors=vectors)
        covered |= ledger.covered(migration.id, doubtful, tenant=tenant)
        found = {key: why for key, why in found.items() if key in covered or key in again}
    return found, covered


def _unindexed(ports: Ports, migration: Migration, copies: Mapping[str, StoredObject], tenant: str | None) -> set[str]:
    """Rule 12a. What asynchronous indexing has not come to yet gets its time, and is asked for again."""
    spec = migration.spec
    missing = not_indexed(ports.store, spec.shadow, copies, vector_name=spec.vector_name, tenant=tenant)
    if not missing:
        return missing
    deadline = ports.clock.monotonic() + 10 * ports.timings.delta_s
    while ports.store.index_queue(spec.shadow):
        if ports.clock.monotonic() > deadline:
            raise Retryable("the vector index is still being built", where=spec.shadow, next_action="Wait for it.")
        ports.clock.sleep(0.5)
    doubtful = {key: copies[key] for key in missing}
    return not_indexed(ports.store, spec.shadow, doubtful, vector_name=spec.vector_name, tenant=tenant)


def _embed_again(ports: Ports, migration: Migration, result: Pass, sample: int | None, *, repair: bool) -> None:
    """Stamps say who wrote a vector, only the vector says what it is: a mix of two models of one length shows nowhere else."""
    found = embed_again(ports, migration, sample, result.outliers.keys())
    result.reembedded = found.compared
    for tenant, each in groupby(found.foreign, key=lambda one: one.tenant):
        foreign = [one.uuid for one in each]
        covered = ports.ledger.covered(migration.id, foreign, tenant=tenant)
        uncovered = {key: ["foreign vector"] for key in foreign if key not in covered}
        result.foreign += len(uncovered)
        _list(result, uncovered)
        if uncovered:
            _alarm(ports, migration, uncovered)
        if repair:
            refuse_to_mend_a_changed_model(migration, found)
            _mend(ports, migration, list(uncovered), tenant, reinsert=set(uncovered))


def _note(result: Pass, uncovered: Mapping[str, Sequence[str]]) -> None:
    result.uncovered += len(uncovered)
    _list(result, uncovered)


def _list(result: Pass, uncovered: Mapping[str, Sequence[str]]) -> None:
    result.kinds.update(kind for kinds in uncovered.values() for kind in kinds)
    result.examples = (result.examples + [f"{key}: {', '.join(why)}" for key, why in uncovered.items()])[:_EXAMPLES]


def _alarm(ports: Ports, migration: Migration, uncovered: Mapping[str, Sequence[str]]) -> None:
    recorded(
        ports,
        migration,
        ALARM,
        f"{len(uncovered)} differences that no journal row covers",
        examples=[f"{key}: {', '.join(why)}" for key, why in list(uncovered.items())[:_EXAMPLES]],
    )
