"""``python -m tests.faults.nemesis.judge OUT``: the table over all seeds in ``OUT``, and ``table.json``, ``.md`` there."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from tests.faults.nemesis.judge import showing
from tests.faults.nemesis.judge.machine import described
from tests.faults.nemesis.judge.table import make_table, read_outcomes


def main(arguments: list[str] | None = None) -> int:
    """0: zeros where there must be zeros; 1: not, and what it is; also 1 if no seed was judged."""
    parser = argparse.ArgumentParser("python -m tests.faults.nemesis.judge", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder with a folder for each seed")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the sums by fault and by phase, for a page")
    given = parser.parse_args(arguments)
    out: Path = given.out
    table = make_table(read_outcomes(out))
    (out / "table.json").write_text(json.dumps({**described(table.outcomes), **table.as_dict()}, indent=1) + "\n")
    (out / "table.md").write_text(showing.markdown(table))
    if given.markdown:
        given.markdown.write_text(showing.summary(table))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    console.print(showing.terminal(table))
    for line in showing.defects(table):
        console.print(line, markup=False, soft_wrap=True)
    return 0 if table.clean else 1


if __name__ == "__main__":
    sys.exit(main())
