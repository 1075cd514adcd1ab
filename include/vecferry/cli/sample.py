"""How many vectors to embed again."""

from __future__ import annotations

from typing import Annotated

import typer

from vecferry.domain.mixing import USUAL_SAMPLE
from vecferry.errors import BadInput

Sample = Annotated[
    str,
    typer.Option(
        metavar="N|all", help="How many vectors to embed again: 299 (the default) find a mix of 1%, 2995 one of 0.1%."
    ),
]


def sample_size(given: str) -> int | None:
    """``None``: all."""
    if given == "all":
        return None
    if given and not (given.isdecimal() and int(given) > 0):
        raise BadInput(f"--sample is a number from 1 on, or all, not {given!r}", where="--sample", next_action="--sample 2995")
    return int(given) if given else USUAL_SAMPLE
