"""Times in milliseconds, and what is said of many of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np


def took_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - started) / 1e6


def quantile(times_ms: Sequence[float], share: float) -> float:
    return float(np.quantile(times_ms, share))
