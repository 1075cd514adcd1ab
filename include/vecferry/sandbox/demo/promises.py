"""What the demo promises, and which of it was not kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vecferry.domain.lifecycle import Phase
from vecferry.sandbox.demo.options import Options

Figures = Mapping[str, Any]

_NOTHING = (
    "queries_failed",
    "writes_lost",
    "stale_objects",
    "resurrected_objects",
    "mixed_space_objects",
    "unindexed_objects",
    "parity_differences",
)
_QUERIES, _WRITES = 1000, 300
_HOLD_S = 2.5
"""The freeze holds for 2 s at most; the write itself takes its time after it."""


def broken(options: Options, figures: Figures, *, phase: Phase, state: str) -> list[str]:
    """Each as a sentence; empty when all is as promised."""
    own = _refused if options.refusal_expected else _rolled_back if options.fail_canary else _arrived
    return [
        *(f"{name} is {figures[name]}, not 0" for name in _NOTHING if figures[name] != 0),
        *(["nothing was compared"] if not figures["objects_live"] else []),
        *own(figures, phase, state),
        *_busy_enough(options, figures),
    ]


def _arrived(figures: Figures, phase: Phase, state: str) -> list[str]:
    verdicts = figures["verdicts"]
    not_passed = [f"{stage}: {v['outcome']} ({v['reason'][:200]})" for stage, v in verdicts.items() if v["outcome"] != "PASS"]
    served = figures["shares"].get("cut_over_100", {}).get("served", 0)
    hold, back = figures["write_hold_s"], figures["rollback_seen_s"]
    return not_passed + _unless(
        (state == "success", f"the run ended {state}"),
        (phase is Phase.RETIRED, f"the migration is {phase}, not retired"),
        (served >= 0.98, f"at 100% the shadow served {served:.1%}"),
        (back is not None, "nothing was rolled back"),
        (hold is not None and hold <= _HOLD_S, f"writes were held for {hold} s, more than {_HOLD_S} s"),
    )


def _refused(figures: Figures, phase: Phase, state: str) -> list[str]:
    outcome = figures["verdicts"].get("validate_golden_set", {}).get("outcome")
    return _unless(
        (state == "failed", f"the run ended {state}, though its candidate had to be refused"),
        (outcome == "FAIL", f"the golden set's verdict is {outcome}, not FAIL"),
        (phase is Phase.VERIFIED, f"the migration is {phase}; it had to stop at verified"),
        (not figures["shares"], "queries were cut over"),
    )


def _rolled_back(figures: Figures, phase: Phase, state: str) -> list[str]:
    outcome = figures["verdicts"].get("cut_over_25", {}).get("outcome")
    return _unless(
        (state == "failed", f"the run ended {state}, though its canary had to fail"),
        (outcome == "FAIL", f"the canary's verdict at 25% is {outcome}, not FAIL"),
        (phase is Phase.ROLLED_BACK, f"the migration is {phase}, not rolled back"),
        (figures["rollback_seen_s"] is not None, "nothing was rolled back"),
    )


def _busy_enough(options: Options, figures: Figures) -> list[str]:
    """A promise of the whole way over the whole corpus: the shorter ones end too soon for it."""
    short = options.refusal_expected or options.fail_canary or options.documents < Options().documents
    if short or options.corpus is not None:
        return []
    return _unless(
        (figures["queries_total"] >= _QUERIES, f"only {figures['queries_total']} queries, not {_QUERIES:,}"),
        (figures["writes_total"] >= _WRITES, f"only {figures['writes_total']} writes, not {_WRITES}"),
    )


def _unless(*kept: tuple[bool, str]) -> list[str]:
    return [text for holds, text in kept if not holds]
