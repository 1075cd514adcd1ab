"""The product with a rule dropped, in real processes: patched at import by a module of the tests' own on their path.

The environment of :func:`mutant_environment` puts ``site/sitecustomize.py`` before all others; it reads one variable, which
nothing in the product knows, and installs the mutant as soon as the process imports what it patches.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "NEMESIS_MUTANT"
_ROOT = Path(__file__).parents[4]
_SITE = Path(__file__).with_name("site")

MUTANTS: Mapping[str, str] = {
    "writers_open_their_rows_afterwards": "rule 1",
    "without_the_reread_of_live": "rule 2",
    "without_the_read_back_of_the_shadow": "rule 2a",
    "only_the_text_is_compared": "rule 3",
    "unknown_live_writes_are_followed": "rule 4, on live",
    "unknown_shadow_writes_close_their_rows": "rule 4, on the shadow",
    "ambiguous_live_writes_are_retried": "rule 5",
    "owners_do_not_fence_themselves": "rule 7",
    "rows_are_closed_by_id_alone": "rule 8",
    "the_janitor_takes_over_at_once": "rule 9",
    "claims_keep_the_token": "rule 10",
    "copiers_open_no_rows": "rule 11",
    "unknown_operations_finish_at_once": "rule 14",
    "routers_do_not_mind_their_lease": "rule 15",
    "the_flip_ignores_the_journal": "retire, steps 3 and 4",
    "the_freeze_holds_nobody": "retire, step 2",
}
"""Name → the rule that it drops."""


def mutant_environment(name: str) -> dict[str, str]:
    """What to add to the environment of a process, so that it and all that it forks or starts are this mutant.

    Raises ``KeyError`` for a name that is not in ``MUTANTS``: a misspelt one would be the product itself, and look harmless.
    """
    if name not in MUTANTS:
        raise KeyError(f"there is no mutant {name!r}; there are {', '.join(MUTANTS)}")
    path = [str(_SITE), str(_ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {VARIABLE: name, "PYTHONPATH": os.pathsep.join(dict.fromkeys(path))}
