"""Options that several verbs share: one name and one meaning."""

from __future__ import annotations

from typing import Annotated

import typer

PinName = Annotated[str, typer.Argument(metavar="PIN", help="The pin's name; `vecferry pin` lists them.")]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="One JSON document on stdout, nothing else.")]
Who = Annotated[str, typer.Option("--who", metavar="NAME", help="Who stands for it; else VECFERRY_WHO, else your user name.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; it stands in the ledger and in the report.")]
ToModel = Annotated[str, typer.Option("--to", metavar="MODEL", help="A model of the catalogue; `vecferry models` lists them.")]
