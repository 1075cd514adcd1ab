"""The shadow's schema from the live one's raw JSON, what may differ between them, and what is not carried yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

from vecferry.domain import kept_vectorizer
from vecferry.domain.objects import STAMPS, UNNAMED
from vecferry.domain.server_text import SUPPORTED
from vecferry.domain.shadow import ShadowSpec
from vecferry.errors import BadInput

Schema = Mapping[str, Any]

_KNOWN = frozenset(
    {
        *("class", "description", "properties", "moduleConfig", "invertedIndexConfig", "objectTtlConfig"),
        *("multiTenancyConfig", "replicationConfig", "shardingConfig"),
        *("vectorConfig", "vectorIndexConfig", "vectorIndexType", "vectorizer"),
    }
)
_PRIMITIVES = frozenset({"text", "int", "number", "boolean", "date", "uuid", "object"})
_DATA_TYPES = frozenset(
    {*_PRIMITIVES, *(f"{name}[]" for name in _PRIMITIVES), "blob", "geoCoordinates", "phoneNumber"} | {"string", "string[]"}
)
_QUANTISERS = ("bq", "pq", "rq", "sq")
_SERVER_SETS = "trackDefaultQuantization"
_HFRESH = ("cosine", "l2-squared")
_WAKES = "autoTenantActivation"


class SettingRow(TypedDict):
    """One setting by its dotted name; ``why`` says why the two may differ, or what the shadow should have."""

    setting: str
    live: Any
    shadow: Any
    allowed: bool
    why: str


def stamp_properties(vectorizers: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Filterable, not searchable, and tokenization ``field``: with ``word``, Equal matches the names of other models."""
    definition: dict[str, Any] = {
        "dataType": ["text"],
        "tokenization": "field",
        "indexFilterable": True,
        "indexSearchable": False,
        "indexRangeFilters": False,
    }
    if vectorizers:
        definition["moduleConfig"] = {name: {"skip": True, "vectorizePropertyName": False} for name in vectorizers}
    return [{"name": name, **definition} for name in STAMPS]


def shadow_schema(
    live_schema: Schema, spec: ShadowSpec, *, description: str | None = None, vectorizing: bool = False
) -> dict[str, Any]:
    """What the shadow is to be. Raises ``BadInput`` where the spec's vectors are not exactly the live collection's.

    ``description`` replaces the live one's (``None`` keeps it); it is where a shadow says whose it is. ``vectorizing``: as it
    is after ``retire``, and in the moment of its creation; a vectorizer that it keeps embeds nothing in between.
    """
    _same_vectors(live_schema, spec)
    # By value: ``deepcopy`` would keep a part that two vectors share shared, and change both.
    shadow: dict[str, Any] = json.loads(json.dumps(live_schema)) | {"class": spec.shadow}
    if description is not None:
        shadow["description"] = description
    own = [p for p in shadow.get("properties") or () if p["name"] not in STAMPS]
    vectorizers = _vectorizers_but_of(shadow, spec.vector_name)
    shadow["properties"] = own + stamp_properties([*vectorizers, *([spec.vectorizer.module] if spec.vectorizer else [])])
    if _multi_tenant(shadow):
        # The server computes it from the tenants, and refuses a schema that gives it.
        shadow.pop("shardingConfig", None)
        shadow["multiTenancyConfig"][_WAKES] = True
    _prepare_migrated(shadow, live_schema, spec, vectorizing=vectorizing)
    for config in _vectors(shadow).values():
        _keep_unquantised(config.get("vectorIndexConfig") or {})
    return shadow


def schema_differences(live: Schema, shadow: Schema, spec: ShadowSpec, *, vectorizing: bool = False) -> list[SettingRow]:
    """A row per setting of either; ``allowed`` is false wherever the shadow is not what ``shadow_schema`` asks for."""
    before, after = _flat(live), _flat(shadow)
    wanted = _flat(shadow_schema(live, spec, vectorizing=vectorizing))
    settings = sorted(before.keys() | after.keys() | wanted.keys())
    return [_row(name, before.get(name), after.get(name), wanted.get(name), live, spec) for name in settings]


def planned_changes(live: Schema, spec: ShadowSpec) -> list[SettingRow]:
    """What the shadow will have otherwise than live, before there is one; a stamp is one row."""
    rows = schema_differences(live, shadow_schema(live, spec), spec)
    added = [
        _added(stamp)
        for stamp in STAMPS
        if not any(row["setting"] == f"properties.{stamp}.dataType" and row["live"] for row in rows)
    ]
    return [*(row for row in rows if row["live"] != row["shadow"] and not _stamp_setting(row["setting"])[0]), *added]


def made_by_server(live: Schema, shadow: Schema, spec: ShadowSpec) -> list[SettingRow]:
    """Where the shadow, read back, is not what was asked for: all of them must be ``allowed``."""
    wanted = _flat(shadow_schema(live, spec))
    rows = schema_differences(live, shadow, spec)
    other = [row for row in rows if row["shadow"] != wanted.get(row["setting"]) and row["setting"] != "description"]
    return [row for row in other if row["live"] != row["shadow"] or not row["allowed"]]


def unfit(live_schema: Schema, vector_name: str, distance: str) -> list[str]:
    """Why the migrated vector's index cannot hold the new space."""
    config = _vectors(live_schema).get(vector_name) or {}
    if config.get("vectorIndexType") == "hfresh" and distance not in _HFRESH:
        return [f"vector {vector_name or '(unnamed)'}: hfresh knows {' and '.join(_HFRESH)}, the new model needs {distance}"]
    return []


def refusals(live_schema: Schema) -> list[str]:
    """What this release does not carry, or what would be unsafe, each by its name; empty when there is nothing."""
    return [
        *(f"setting {name}: not known to this release" for name in sorted(set(live_schema) - _KNOWN)),
        *_property_refusals(live_schema.get("properties") or (), live_schema.get("class", "")),
        *_both_kinds_refusals(live_schema),
        *_reserved_refusals(live_schema),
        *(reason for name, config in _vectors(live_schema).items() for reason in _vector_refusals(name, config)),
        *_expiry_refusals(live_schema),
    ]


def vector_names(schema: Schema) -> list[str]:
    """All of them; ``UNNAMED`` where there is a legacy vector, which a collection may have beside named ones."""
    return sorted(_vectors(schema))


def server_side_model(schema: Schema, vector_name: str) -> str | None:
    """The model with which the server itself vectorizes; ``None`` where clients bring the vectors.

    It can be changed in place by a schema update, which mixes two spaces from the next insert on.
    """
    config = _vectors(schema).get(vector_name) or {}
    for name in _vectorizers_of(config):
        vectorizer = config.get("vectorizer")
        settings = vectorizer[name] if isinstance(vectorizer, Mapping) else (config.get("moduleConfig") or {}).get(name)
        return _model_of(settings or {})
    return None


def _model_of(settings: Mapping[str, Any]) -> str | None:
    """OpenAI's second generation is written in two parts: ``ada`` and ``002``."""
    model, version = settings.get("model"), settings.get("modelVersion")
    if model and version == "002":
        return f"text-embedding-{model}-{version}"
    return str(model) if model else None


# --- building


def _same_vectors(live: Schema, spec: ShadowSpec) -> None:
    has, wants = set(_vectors(live)), {spec.vector_name, *spec.carried}
    if has != wants:
        raise BadInput(
            f"the collection has the vectors {_names(has)}, the migration names {_names(wants)}",
            where=spec.live,
            next_action="Name the migrated vector, and carry all others.",
        )


def _prepare_migrated(shadow: dict[str, Any], live: Schema, spec: ShadowSpec, *, vectorizing: bool) -> None:
    """Vectors come from us, so no vectorizer unless it is to be kept; the distance is said, for the server's default is not
    every model's."""
    named = spec.vector_name != UNNAMED
    config = shadow["vectorConfig"][spec.vector_name] if named else shadow
    if spec.vectorizer is None:
        _drop_vectorizer_settings(shadow, spec.vector_name)
        config["vectorizer"] = {"none": {}} if named else "none"
    else:
        chosen = kept_vectorizer.settings(live, spec.vector_name, spec.vectorizer, vectorizing=vectorizing)
        kept_vectorizer.put_into(shadow, live, spec.vector_name, spec.vectorizer, chosen)
    index = config.setdefault("vectorIndexConfig", {})
    index["distance"] = spec.space.distance
    for part in _dicts_in(index):
        if "distance" in part:
            part["distance"] = spec.space.distance
        if (part.get("pq") or {}).get("segments") and spec.space.dimensions % part["pq"]["segments"]:
            part["pq"]["segments"] = 0


def _keep_unquantised(index: dict[str, Any]) -> None:
    """A server with DEFAULT_QUANTIZATION would quantise the copy of a vector that is not."""
    for part in _dicts_in(index):
        if "skipDefaultQuantization" in part and not _quantised(part):
            part["skipDefaultQuantization"] = True


def _vectors(schema: Schema) -> dict[str, Schema]:
    """Name → its part of the schema; a legacy vector's part is the schema itself."""
    named: dict[str, Schema] = dict(schema.get("vectorConfig") or {})
    legacy: dict[str, Schema] = {UNNAMED: schema} if schema.get("vectorIndexType") or not named else {}
    return legacy | named


def _vectorizers_but_of(schema: Schema, vector_name: str) -> list[str]:
    """Those of the vectors that do not migrate."""
    found = {each for name, config in _vectors(schema).items() if name != vector_name for each in _vectorizers_of(config)}
    return sorted(found)


def _drop_vectorizer_settings(shadow: dict[str, Any], vector_name: str) -> None:
    """What the collection and its properties say to a vectorizer that the shadow has no more."""
    own = _vectorizers_of(_vectors(shadow).get(vector_name) or {})
    dropped = set(own) - set(_vectorizers_but_of(shadow, vector_name))
    for part in (shadow, *(shadow.get("properties") or ())):
        settings = part.get("moduleConfig")
        for name in dropped if settings else ():
            settings.pop(name, None)
        if settings is not None and not settings:
            part.pop("moduleConfig")


def _vectorizers_of(config: Schema) -> list[str]:
    """Legacy: a name; named vectors: a mapping name → settings."""
    vectorizer = config.get("vectorizer") or "none"
    names = [vectorizer] if isinstance(vectorizer, str) else list(vectorizer)
    return [name for name in names if name != "none"]


def _multi_tenant(schema: Schema) -> bool:
    return bool((schema.get("multiTenancyConfig") or {}).get("enabled"))


def _quantised(index: Schema) -> bool:
    return any((index.get(name) or {}).get("enabled") for name in _QUANTISERS)


def _dicts_in(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield value
    for item in list(value.values()):
        if isinstance(item, dict):
            yield from _dicts_in(item)


def _names(vectors: set[str]) -> str:
    return ", ".join(sorted(name or "(unnamed)" for name in vectors))


# --- comparing


def _row(name: str, live: Any, shadow: Any, wanted: Any, live_schema: Schema, spec: ShadowSpec) -> SettingRow:
    reason = _why_free(name, live_schema)
    allowed = shadow == wanted or bool(reason)
    if not allowed:
        why = f"the shadow should have {wanted!r}"
    else:
        why = "" if live == shadow else reason or _why_different(name, spec)
    return {"setting": name, "live": live, "shadow": shadow, "allowed": allowed, "why": why}


def _why_free(name: str, live: Schema) -> str:
    """Settings whose value in the shadow is not ours to say."""
    if name == "description":
        return "says whose the shadow is"
    if name.endswith(_SERVER_SETS):
        return "the server sets it"
    if name.startswith("shardingConfig.") and _multi_tenant(live):
        return "follows from the tenants"
    stamp, setting = _stamp_setting(name)
    if stamp and setting not in stamp_properties()[0]:
        return "the server's default for a stamp"
    return ""


def _why_different(name: str, spec: ShadowSpec) -> str:
    if name == "class":
        return "the shadow's own name"
    if _stamp_setting(name)[0]:
        return "a stamp"
    if name == f"multiTenancyConfig.{_WAKES}":
        return "the shadow's tenants wake when live's do; until retire"
    prefix = f"vectorConfig.{spec.vector_name}." if spec.vector_name != UNNAMED else ""
    ours = "vectors come from vecferry" if spec.vectorizer is None else _why_kept(name)
    reasons = {"vectorizer": ours, "moduleConfig": ours}
    reasons |= {"distance": "the new space's distance"}
    reasons |= {"segments": "must divide the new dimensions", "skipDefaultQuantization": "the copy stays unquantised"}
    return next((why for part, why in reasons.items() if part in name.removeprefix(prefix)), "the migrated vector")


def _why_kept(name: str) -> str:
    if name.endswith(".properties"):
        return "the server embeds nothing until retire"
    if name.endswith(".vectorizeClassName"):
        return "the shadow's name is another one in every attempt"
    return "the server's vectorizer with the new model"


def _added(stamp: str) -> SettingRow:
    return {"setting": f"properties.{stamp}", "live": None, "shadow": "text", "allowed": True, "why": "a stamp"}


def _stamp_setting(name: str) -> tuple[str, str]:
    group, _, rest = name.partition(".")
    prop, _, setting = rest.partition(".")
    return (prop, setting) if group == "properties" and prop in STAMPS else ("", "")


def _flat(schema: Schema) -> dict[str, Any]:
    return dict(_flattened(schema, ""))


def _flattened(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted names; properties by their name, not their place; null is the same as absent."""
    if isinstance(value, Mapping) and (value or not prefix):
        for key, item in value.items():
            yield from _flattened(item, f"{prefix}.{key}" if prefix else key)
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        for item in value:
            rest = {key: setting for key, setting in item.items() if key != "name"}
            yield from _flattened(rest, f"{prefix}.{item['name']}")
    elif value is not None and value != [] and value != "":
        yield prefix, value


# --- refusing


def _property_refusals(properties: Sequence[Schema], live: str, prefix: str = "") -> Iterator[str]:
    for prop in properties:
        name, kind = f"{prefix}{prop['name']}", prop["dataType"][0]
        if kind[:1].isupper():
            if live in prop["dataType"]:
                yield f"property {name}: a cross-reference to the collection itself would go on naming the old one"
        elif kind not in _DATA_TYPES:
            yield f"property {name}: the data type {kind} is not known to this release"
        yield from _property_refusals(prop.get("nestedProperties") or (), live, f"{name}.")


def _both_kinds_refusals(schema: Schema) -> Iterator[str]:
    """The server lets named vectors be added to a collection with an unnamed one, and lets nobody create such a one."""
    if schema.get("vectorConfig") and schema.get("vectorIndexType"):
        yield "vectors: an unnamed vector beside named ones, which the server does not let anybody create"


def _reserved_refusals(schema: Schema) -> Iterator[str]:
    """A live collection that was once a shadow has our stamps already; the same names of another make are the user's."""
    ours = {stamp["name"]: stamp for stamp in stamp_properties()}
    for prop in schema.get("properties") or ():
        stamp = ours.get(prop["name"])
        if stamp and any(prop.get(key) != stamp[key] for key in ("dataType", "tokenization", "indexSearchable")):
            yield f"property {prop['name']}: the name is reserved for a stamp"


def _vector_refusals(name: str, config: Schema) -> Iterator[str]:
    label, index = f"vector {name or '(unnamed)'}", config.get("vectorIndexConfig") or {}
    for vectorizer in _vectorizers_of(config):
        if vectorizer not in SUPPORTED:
            yield f"{label}: the server-side vectorizer {vectorizer} is not carried yet"
    if (index.get("multivector") or {}).get("enabled"):
        yield f"{label}: multi-vectors are not carried yet"
    if index.get("skip"):
        yield f"{label}: it is not indexed (skip), so nothing could be searched or judged"


def _expiry_refusals(schema: Schema) -> Iterator[str]:
    expiry = schema.get("objectTtlConfig") or {}
    if expiry.get("enabled") and str(expiry.get("deleteOn", "")).startswith("_"):
        yield f"objectTtlConfig: an expiry by {expiry['deleteOn']} runs differently for copies, whose times are new"
