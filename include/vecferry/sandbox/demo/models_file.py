"""The catalogue file of the sandbox's models: what a user writes who has a server of their own (``VECFERRY_MODELS``)."""

from __future__ import annotations

from pathlib import Path

from vecferry.sandbox.models import CHAR, DIMENSIONS, HASH, WORD
from vecferry.sandbox.provider import Address

# Prices of real models of that class, so that the spend in the report is of a size that means something.
_OPENAI = """
[[model]]
provider = "openai"
model = "{name}"
api = "openai"
base_url = "{url}"
dimensions = {dimensions}
max_tokens = 8192
inputs_per_request = 256
usd_per_million_tokens = 0.02
price_date = 2026-11-01
{more}source = "the sandbox's provider"
"""
_COHERE = """
[[model]]
provider = "cohere"
model = "{name}"
api = "cohere"
base_url = "{url}"
dimensions = {dimensions}
max_tokens = 8192
inputs_per_request = 96
usd_per_million_tokens = 0.12
price_date = 2026-11-01
document_task = "search_document"
query_task = "search_query"
source = "the sandbox's provider"
"""


def write_models(path: Path, provider: Address) -> None:
    """The old model is reached through OpenAI's SDK, its possible successors through Cohere's."""
    old = _OPENAI.format(name=WORD, url=provider.openai_url, dimensions=DIMENSIONS, more=f'replacement = "{CHAR}"\n')
    new = [_COHERE.format(name=name, url=provider.cohere_url, dimensions=DIMENSIONS) for name in (CHAR, HASH)]
    path.write_text("\n".join([old, *new]), encoding="utf-8")
