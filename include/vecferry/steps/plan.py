"""Look before anything is written: what would stop the migration, what it costs, how long it takes."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

from vecferry.domain.catalogue import ModelCard
from vecferry.domain.estimate import Assumptions, Estimate, estimate
from vecferry.domain.fingerprint import SAME_FROM, TEXTS, cosines
from vecferry.domain.inbound import Inbound, aliases_follow
from vecferry.domain.lifecycle import Migration, Phase
from vecferry.domain.objects import (
    HASH_VERSION,
    SERVER_TEXT_HASH_VERSION,
    SOME_TENANTS_HASH_VERSION,
    STAMP_MODEL,
    StoredObject,
)
from vecferry.domain.pins import Pin
from vecferry.domain.request import MigrationRequest
from vecferry.domain.sample_size import margin_warning, queries_missing
from vecferry.domain.sampled_texts import figures as text_figures
from vecferry.domain.sampled_texts import tokens_to_pay
from vecferry.domain.sampled_texts import warnings as text_warnings
from vecferry.domain.schema import planned_changes, refusals, unfit
from vecferry.domain.shadow import ShadowSpec
from vecferry.domain.shared_space import by_space
from vecferry.domain.sweeping import plan_warning, planned_staleness_s
from vecferry.domain.tenants import covers, estimated, sleeping_warning
from vecferry.errors import BadInput, Conflict, ModelGone
from vecferry.ports import Ports
from vecferry.steps import inbound_references, only_tenants, prove_vectorizer, server_side, shared_space
from vecferry.steps.asking import golden_of
from vecferry.steps.density_probe import skew_warnings
from vecferry.steps.fingerprint import take
from vecferry.steps.model_end import percents_past_the_end
from vecferry.steps.planning_texts import sampled_texts
from vecferry.steps.readiness import YES, Ready
from vecferry.steps.sampling import count_all, spread_keys, tenants_of
from vecferry.steps.tenants import limited

_SAMPLE = 500
_FEW = 50
_TO_BE_PROVEN = (
    "that the server's own vectors will be vecferry's is proven when the migration is started, on a scratch collection that is "
    "made and dropped"
)
_RESTARTS_UNSEEN = [
    "this key may not read /v1/cluster/statistics, so that a restart of Weaviate is not seen: after one, run "
    "vecferry verify --repair"
]
_TIMEOUT_S = 60.0


def act(ports: Ports, request: MigrationRequest) -> dict[str, Any]:
    """Starts the migration (phase planned) with its plan; run again, it returns the same one, unchanged."""
    pin = ports.ledger.pin(request.collection)
    card = ports.catalogue.card(request.to_model)
    active = ports.ledger.active_migration(pin.name)
    if active is not None:
        return _same_or_refuse(active, card, pin, request)
    arrived = _arrived(ports, pin, card)
    if arrived is not None:
        return {"migration_id": arrived.id, **arrived.plan}
    shared_space.refuse_to_migrate(pin, card)
    plan = look(ports, pin, card, request)
    migration = _migration(ports, pin, card, request, plan)
    if migration.spec.vectorizer is not None:
        sample = _sample(limited(ports, pin.collection, request.tenants), pin, _FEW)
        told = prove_vectorizer.prove(ports, pin, card, migration.spec, sample)
        plan["warnings"] = [warning for warning in plan["warnings"] if warning != _TO_BE_PROVEN] + told
    started = ports.ledger.start_migration(migration, who=request.who or "vecferry", why=request.why or "planned")
    ports.ledger.save_plan(started.id, plan)
    return {"migration_id": started.id, **plan}


def ready(ports: Ports, request: MigrationRequest) -> Ready:
    """Planned; acceptance is the approval task's."""
    pin = ports.ledger.pin(request.collection)
    planned = ports.ledger.active_migration(pin.name) or _arrived(ports, pin, ports.catalogue.card(request.to_model))
    return YES if planned is not None else Ready(False, "the plan")


def look(ports: Ports, pin: Pin, card: ModelCard, request: MigrationRequest) -> dict[str, Any]:
    """Preflight and estimate; writes nothing. Raises ``BadInput`` listing everything that stands in the way."""
    on_trial = only_tenants.checked(ports, pin.collection, request.tenants)
    ports = limited(ports, pin.collection, request.tenants)
    schema = ports.store.schema(pin.collection)
    tenants = ports.store.tenants(pin.collection)
    objects = estimated(count_all(ports.store, pin.collection), tenants)
    if objects == 0 and request.tenants:
        only_tenants.refuse_without_objects(tenants, pin.collection)
    if objects == 0:
        raise BadInput(
            "the collection is empty: there is nothing to migrate", where=pin.collection, next_action="Fill it first."
        )
    inbound = inbound_references.look(ports, pin.collection)
    problems = [*refusals(schema), *_space_problems(ports, pin, card), *inbound.problems(request.inbound_references)]
    problems += server_side.problems(schema, pin)
    if request.shadow_vectorizer == "keep":
        problems += server_side.keeping_problems(ports, schema, pin, card)
    if problems:
        raise BadInput("; ".join(problems), where=pin.collection, next_action="Solve these, then plan again.")
    embedder = ports.embedders.of(card.space, pin=pin)
    embedder.check()
    about_model = _refuse_a_changed_model(ports, pin)
    about_vectors = server_side.prove(ports, pin)
    sample = _sample(ports, pin)
    objects = max(objects, len(sample))  # applications insert between the count and the sample
    texts = sampled_texts(pin.recipe, embedder, sample)
    counted = tokens_to_pay(texts, card.max_tokens, request.overlong)
    figures = _estimate(ports, pin, card, request, objects, sample, counted)
    about_texts = text_figures(texts, objects, card.max_tokens, request.overlong)
    skewed = [] if tenants else skew_warnings(ports.store, pin.collection, objects)
    said = [
        *on_trial,
        *about_model,
        *(_RESTARTS_UNSEEN if not ports.store.incarnations() else []),
        *about_vectors,
        *skewed,
        *shared_space.warnings(pin, card),
        *text_warnings(about_texts, len(texts)),
        *_inbound_warnings(inbound, request, card),
    ]
    return (
        figures.as_dict()
        | _judging(ports, request, figures, [*said, *_ending(ports, pin, request, figures)])
        | about_texts
        | inbound.as_row()
        | {"aliases_follow": _aliases_follow(request)}
        | {
            "pin": pin.name,
            "collection": pin.collection,
            "from_space": pin.space.id,
            "to_space": card.space.id,
            "distance_from": pin.space.distance,
            "distance_to": card.space.distance,
            "tokens_by": embedder.count_tokens("tokens")[1],
            "price_date": card.price_date.isoformat() if card.price_date else None,
            "budget_usd": request.budget_usd,
            "tenants": len(tenants),
            "only_tenants": sorted(request.tenants),
            "schema_changes": planned_changes(schema, _spec(ports, pin, card, request)),
            "shadow_vectorizer": request.shadow_vectorizer,
            "shared_space": pin.space.same_as(card.space),
        }
    )


def _aliases_follow(request: MigrationRequest) -> bool:
    return aliases_follow(request.aliases, server_vectorizes=request.shadow_vectorizer == "keep")


def _inbound_warnings(inbound: Inbound, request: MigrationRequest, card: ModelCard) -> list[str]:
    return inbound.warnings(follow=_aliases_follow(request), new_model=card.space.id)


def _ending(ports: Ports, pin: Pin, request: MigrationRequest, figures: Estimate) -> list[str]:
    sleeping = sleeping_warning(ports.store.tenants(pin.collection))
    trial = [_TO_BE_PROVEN] if request.shadow_vectorizer == "keep" else []
    return [
        *sleeping,
        *trial,
        *percents_past_the_end(ports, pin, request, hours_before=figures.total_hours - figures.soak_hours),
    ]


def _judging(ports: Ports, request: MigrationRequest, figures: Estimate, ending: list[str]) -> dict[str, Any]:
    """The margin that the verdict will be given at, and whether the golden set is large enough for it."""
    margin = request.margin or ports.gates.margin
    missing = queries_missing(
        figures.golden_queries,
        margin,
        figures.golden_sd,
        at_least=ports.gates.min_golden_queries,
        confidence=ports.gates.confidence,
    )
    warning = margin_warning(figures.golden_queries, margin, missing)
    swept = [plan_warning(figures.objects)] if request.sweep else []
    return {
        "margin": margin,
        "golden_queries_missing": missing,
        "warnings": [*swept, *ending, *([warning] if warning else [])],
        "sweep_staleness_s": planned_staleness_s(figures.objects) if request.sweep else None,
    }


def _graded(ports: Ports, pin: Pin, request: MigrationRequest) -> int:
    """The golden queries that can judge; a pin may have none yet."""
    if not ports.ledger.golden(pin.name):
        return 0
    golden = golden_of(ports, pin.name)
    return sum(covers(request.tenants, query.tenant) for query in golden.graded)


def _arrived(ports: Ports, pin: Pin, card: ModelCard) -> Migration | None:
    """The migration that brought the pin where the request wants it: what a plan cleared after ``retire`` finds."""
    newest = next(iter(ports.ledger.migrations(pin.name)), None)
    return newest if newest and newest.phase is Phase.RETIRED and newest.spec.space == card.space == pin.space else None


def _same_or_refuse(active: Migration, card: ModelCard, pin: Pin, request: MigrationRequest) -> dict[str, Any]:
    only_tenants.refuse_other_than(active, request.tenants)
    if active.spec.space.same_as(card.space):
        return {"migration_id": active.id, **active.plan}
    raise Conflict(
        f"migration {active.id} to {active.spec.space.id} is under way",
        where=pin.name,
        next_action="Finish it, or discard it first.",
    )


def _space_problems(ports: Ports, pin: Pin, card: ModelCard) -> list[str]:
    problems = unfit(ports.store.schema(pin.collection), pin.vector_name, card.space.distance)
    if card.space == pin.space:
        problems.append(f"the collection is in {card.space.id} already")
    found = by_space(_models_in(ports, pin), ports.catalogue)
    if len(found) > 1:
        counts = ", ".join(f"{model}: {count:,}" for model, count in sorted(found.items()))
        problems.append(f"live holds {len(found)} spaces ({counts}); search is mixing them already")
    return problems


def _models_in(ports: Ports, pin: Pin) -> dict[str, int]:
    """Objects by stamp; a collection that vecferry never filled has none."""
    names = {p["name"] for p in ports.store.schema(pin.collection).get("properties") or []}
    if STAMP_MODEL not in names:
        return {}
    found: dict[str, int] = {}
    for tenant in tenants_of(ports.store, pin.collection):
        for model, count in ports.store.stamp_counts(pin.collection, STAMP_MODEL, tenant=tenant).items():
            found[model] = found.get(model, 0) + count
    return found


def _refuse_a_changed_model(ports: Ports, pin: Pin) -> list[str]:
    """The fingerprint of pin time, embedded again: below the limit the model changed under the same name. One that has ended is
    no reason to stay with it; the plan says so."""
    if not pin.fingerprint:
        return []
    try:
        now = take(ports.embedders.of(pin.space, pin=pin, witnessed=False), timeout_s=_TIMEOUT_S)
    except ModelGone as error:
        return [
            f"{pin.space.id} answers no more ({error.what}): nothing can be compared with it. When the migration is started, "
            f"run vecferry live-model-gone {pin.name} --why …: writes go on, and the shadow answers as soon as it is proven"
        ]
    worst = min(cosines(pin.fingerprint, now))
    if worst < SAME_FROM:
        raise BadInput(
            f"{pin.space.id} answers differently than when it was pinned: cosine {worst:.3f} at worst of {len(TEXTS)} texts",
            where=pin.name,
            next_action="Ask the provider; what is stored may be of two models. vecferry doctor looks.",
        )
    return []


def _sample(ports: Ports, pin: Pin, most: int = _SAMPLE) -> list[StoredObject]:
    keys = spread_keys(ports.store, pin.collection, most)
    found: list[StoredObject] = []
    for tenant in {tenant for tenant, _ in keys}:
        found += ports.store.read(pin.collection, [k for t, k in keys if t == tenant], tenant=tenant).values()
    return found


def _estimate(
    ports: Ports,
    pin: Pin,
    card: ModelCard,
    request: MigrationRequest,
    objects: int,
    sample: list[StoredObject],
    counted: list[int],
) -> Estimate:
    payloads = [len(json.dumps(dict(obj.properties), default=str)) for obj in sample]
    return estimate(
        sample_tokens=[float(n) for n in counted],
        objects=objects,
        card=card,
        live_dimensions=pin.space.dimensions,
        starts_at=ports.clock.now(),
        payload_bytes=sum(payloads) / max(1, len(payloads)),
        golden_queries=_graded(ports, pin, request),
        deadline=request.deadline,
        assumptions=Assumptions(soak_minutes=request.soak_minutes * len(request.percents), confidence=ports.gates.confidence),
    )


def _migration(ports: Ports, pin: Pin, card: ModelCard, request: MigrationRequest, plan: dict[str, Any]) -> Migration:
    attempt = _attempt(ports, pin)
    return Migration(
        id=f"{pin.name.lower()}-{attempt}-{secrets.token_hex(3)}",
        pin=pin.name,
        phase=Phase.PLANNED,
        version=1,
        spec=_spec(ports, pin, card, request),
        from_space=pin.space,
        attempt=attempt,
        notice_id=request.notice_id,
        options=request.options(),
        plan=plan,
    )


def _attempt(ports: Ports, pin: Pin) -> int:
    return 1 + len(ports.ledger.migrations(pin.name))


def _spec(ports: Ports, pin: Pin, card: ModelCard, request: MigrationRequest) -> ShadowSpec:
    schema = ports.store.schema(pin.collection)
    vectors = schema.get("vectorConfig") or {}
    spec = ShadowSpec(
        live=pin.collection,
        shadow=_shadow_name(pin.name, card, _attempt(ports, pin)),
        recipe=pin.recipe,
        space=card.space,
        vector_name=pin.vector_name,
        carried=tuple(sorted(name for name in vectors if name != pin.vector_name)),
        overlong=request.overlong,
        max_tokens=card.max_tokens,
        hash_version=_hash_version(pin, request),
    )
    return server_side.keeping(schema, spec, card) if request.shadow_vectorizer == "keep" else spec


def _hash_version(pin: Pin, request: MigrationRequest) -> int:
    if request.tenants:
        return SOME_TENANTS_HASH_VERSION
    return HASH_VERSION if pin.recipe.server is None else SERVER_TEXT_HASH_VERSION


def _shadow_name(pin: str, card: ModelCard, attempt: int) -> str:
    """A new name for every attempt: an old copier must not find the collection that it knew (rule 16)."""
    model = re.sub(r"[^A-Za-z0-9]+", "_", card.model).strip("_")
    name = f"{pin}_{model}_{attempt}"
    return name[0].upper() + name[1:]
