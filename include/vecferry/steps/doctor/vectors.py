"""What the vectors themselves say: every object is read, and a sample is embedded again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from vecferry.domain.fingerprint import SAME_FROM, cosines
from vecferry.domain.mixing import found_from
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.schema import vector_names
from vecferry.ports import Embedder, Ports
from vecferry.steps import fingerprint, shared_space
from vecferry.steps.doctor.finding import Finding, Look, Tell, ok, problem, unknown
from vecferry.steps.reembedding import Key, Reembedded, VectorOf, reembed
from vecferry.steps.sampling import every_key, spread_keys
from vecferry.steps.scanning import Seen, scan

_TIMEOUT_S = 60.0


def looks_at_pinned(ports: Ports, pin: Pin, sample: int | None, tell: Tell) -> list[Look]:
    """``sample`` objects are embedded again (``None``: all of them), and those that point furthest off the others."""
    what = VectorOf(pin.collection, pin.vector_name, pin.recipe)
    looks, seen = _scanned(ports, what, tell, "")

    def embedder() -> Embedder:
        return ports.embedders.of(pin.space, pin=pin)

    return [
        *looks,
        ("vectors", lambda: _reembedded(ports, what, embedder(), sample, seen().suspects, tell)),
        ("model", lambda: _model(pin, ports.embedders.of(pin.space, pin=pin, witnessed=False))),
    ]


def looks_at_bare(ports: Ports, collection: str, tell: Tell) -> list[Look]:
    """Without a pin: what can be said without knowing model and recipe, for each vector of the collection."""
    names = vector_names(ports.store.schema(collection))
    found: list[Look] = []
    for name in names:
        label = f" ({name or 'unnamed'})" if len(names) > 1 else ""
        looks, _ = _scanned(ports, VectorOf(collection, name, TextRecipe(())), tell, label)
        found += looks
    return [*found, ("model", lambda: ok("no pin says which: nothing was embedded again, so a mix of models would not show"))]


def _scanned(ports: Ports, what: VectorOf, tell: Tell, label: str) -> tuple[list[Look], Callable[[], Seen]]:
    @cache
    def seen() -> Seen:
        return scan(ports.store, what, lambda done: tell(f"vectors{label}: {done:,} objects read"))

    looks: list[Look] = [
        (f"lengths{label}", lambda: _lengths(seen())),
        (f"duplicates{label}", lambda: _duplicates(seen())),
        (f"index{label}", lambda: _index(seen())),
    ]
    if what.recipe.properties:
        looks.insert(0, ("texts", lambda: _texts(seen())))
    return looks, seen


def _texts(seen: Seen) -> Finding:
    bare, unembedded = seen.kinds["no text"], seen.kinds["no vector"]
    if unembedded:
        return _named(seen, "no vector", f"{unembedded:,} have text and no vector", "No search finds them: embed them.")
    if bare:
        what = f"{bare:,} of {seen.objects:,} have no text by the pin's recipe, e.g. {seen.examples['no text'][0]}"
        return Finding("", "ok", what, "A migration keeps them without a vector, and says so.")
    return ok(f"all {seen.objects:,} objects have one")


def _lengths(seen: Seen) -> Finding:
    for kind, what in (("zero", "are all zero"), ("not finite", "hold NaN or infinity")):
        if seen.kinds[kind]:
            cure = "Such a vector is near to nothing or to anything: embed these objects again."
            return _named(seen, kind, f"{seen.kinds[kind]:,} vectors {what}", cure)
    text = ", ".join(f"{length} ({count:,})" for length, count in sorted(seen.lengths.items()))
    if len(seen.lengths) > 1:
        return problem(f"vectors of several lengths: {text}", "They are of several models.")
    return ok(text or "no vectors")


def _duplicates(seen: Seen) -> Finding:
    count = seen.kinds["duplicate"]
    if count:
        cure = "One vector for several texts: texts cut off alike, or written with somebody else's vector."
        return _named(seen, "duplicate", f"{count:,} objects share their vector with another text's", cure)
    return ok("no vector stands for two texts")


def _index(seen: Seen) -> Finding:
    count = seen.kinds["not indexed"]
    if count:
        cure = "Stored, and no search finds them; an identical put does not heal it: delete and insert them again."
        return _named(seen, "not indexed", f"{count:,} objects are not in the vector index", cure)
    return ok(f"finds all {seen.lengths.total():,} vectors")


def _named(seen: Seen, kind: str, what: str, cure: str) -> Finding:
    examples = tuple(seen.examples[kind])
    return problem(f"{what}, e.g. {', '.join(examples[:3])}", cure, examples)


def _reembedded(
    ports: Ports, what: VectorOf, embedder: Embedder, sample: int | None, suspects: list[Key], tell: Tell
) -> Finding:
    """The stored vectors against what the pin's model and recipe give now."""
    keys = list(spread_keys(ports.store, what.collection, sample)) if sample is not None else None
    everything = every_key(ports.store, what.collection)
    drawn = reembed(ports.store, what, embedder, everything if keys is None else keys, lambda n: tell(f"vectors: {n:,} again"))
    if not drawn.compared:
        return unknown("no object of the sample has both text and vector", "Is the pin's recipe right?")
    apart = [] if keys is None else sorted(set(suspects) - set(keys), key=lambda key: (key[0] or "", key[1]))
    others = reembed(ports.store, what, embedder, apart)
    both = drawn + others
    if both.foreign and embedder.card.family and (shared := shared_space.prove(ports, what, embedder)).proven:
        return ok(
            f"{len(both.foreign):,} of {both.compared:,} are of another model of family {embedder.card.family}: {shared.told}"
        )
    if both.foreign:
        cure = f"They are of another model, recipe or text: {both.told()}"
        return problem(_share(drawn, others), cure, tuple(one.uuid for one in both.foreign))
    again = f"{both.compared:,} embedded again: cosine {both.worst:.4f} at worst"
    if keys is None:
        return ok(again)
    return ok(f"{again}; a mix of {found_from(drawn.compared):.1%} or more would have shown with 95% probability")


def _share(drawn: Reembedded, others: Reembedded) -> str:
    text = f"{len(drawn.foreign):,} of {drawn.compared:,} drawn evenly are below cosine {SAME_FROM} ({drawn.share:.1%})"
    suspected = f", and {len(others.foreign)} of the {others.compared} that point furthest off the others"
    return text + (suspected if others.compared else "")


def _model(pin: Pin, embedder: Embedder) -> Finding | None:
    if not pin.fingerprint:
        return None  # pinned before there were fingerprints, or a test's
    now = fingerprint.take(embedder, timeout_s=_TIMEOUT_S)
    worst = min(cosines(pin.fingerprint, now))
    if worst < SAME_FROM:
        return problem(f"{pin.space.id} has changed since it was pinned: cosine {worst:.4f}", "Ask the provider what changed.")
    return ok(f"{pin.space.id} answers as when it was pinned (cosine {worst:.4f})")
