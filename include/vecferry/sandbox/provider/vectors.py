"""Texts to vectors: the model's own, remembered, and bent by the faults that were asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vecferry.sandbox.models import DIMENSIONS, Model
from vecferry.sandbox.provider.faults import Fault

REMEMBERED = 20_000  # vectors of 384 floats: 30 MB


class RememberingModel:
    """The same model, with its latest vectors kept: a migration embeds each text several times over."""

    def __init__(self, model: Model, remembered: int = REMEMBERED) -> None:
        self.name = model.name
        self._model = model
        self._remembered = remembered
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, np.ndarray] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        with self._lock:
            found = {text: self._vectors[text] for text in texts if text in self._vectors}
        missing = list(dict.fromkeys(text for text in texts if text not in found))
        if missing:
            found.update(zip(missing, self._model.embed(missing), strict=True))
        with self._lock:
            for text in found:
                self._vectors[text] = found[text]
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._remembered:
                self._vectors.popitem(last=False)
        return np.stack([found[text] for text in texts])


def embed(
    models: dict[str, RememberingModel], name: str, texts: Sequence[str], faults: Sequence[Fault]
) -> tuple[list[int], list[np.ndarray]]:
    """(indices, vectors): one vector for each text, unless a fault says otherwise."""
    space = next((f.settings["space"] for f in faults if f.kind == "foreign_space" and f.settings["space"]), name)
    vectors = models[space].embed(texts)
    for fault in faults:
        vectors = _bent(vectors, fault)
    indices = list(range(len(vectors)))
    if any(fault.kind == "shuffled" for fault in faults):
        indices.reverse()
    return indices, [vectors[i] for i in indices]


def _bent(vectors: np.ndarray, fault: Fault) -> np.ndarray:
    match fault.kind:
        case "wrong_count":
            return _counted(vectors, len(vectors) + int(fault.settings["delta"]))
        case "wrong_dimensions":
            return np.resize(vectors, (len(vectors), int(fault.settings["dimensions"])))
        case "nan":
            return _with_first(vectors, 0, np.nan)
        case "zero":
            return _with_first(vectors, slice(None), 0.0)
        case "scaled":
            return np.asarray(vectors * np.float32(fault.settings["factor"]))
        case "foreign_space" if not fault.settings["space"]:
            return np.asarray(vectors @ _rotation(int(fault.settings["space_seed"])))
        case "silent_change":
            return _moved(vectors, float(fault.settings["cosine"]))
    return vectors


def _counted(vectors: np.ndarray, count: int) -> np.ndarray:
    return vectors[[i % len(vectors) for i in range(max(0, count))]]


def _with_first(vectors: np.ndarray, where: int | slice, value: float) -> np.ndarray:
    spoilt = vectors.copy()
    spoilt[0, where] = value
    return spoilt


def _moved(vectors: np.ndarray, cosine: float) -> np.ndarray:
    """Each vector at exactly ``cosine`` from itself, towards the part of its rotated self that is orthogonal to it."""
    turned = vectors @ _rotation(0)
    aside = turned - (turned * vectors).sum(axis=1, keepdims=True) * vectors
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    return np.asarray(cosine * vectors + np.sqrt(1 - cosine**2) * aside, dtype=np.float32)


@lru_cache(maxsize=8)
def _rotation(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((DIMENSIONS, DIMENSIONS))
    return np.linalg.qr(drawn)[0].astype(np.float32)
