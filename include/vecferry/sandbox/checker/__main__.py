"""``python -m checker --weaviate URL --authority Docs=openai:sandbox-word-1@http://… --corpus … --history … --recipe body``"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import httpx

from .inspection import Side, inspect
from .provider_rest import Model
from .weaviate_rest import WeaviateRest


def main() -> int:
    given = _parser().parse_args()
    weaviate = WeaviateRest(given.weaviate)
    try:
        found = inspect(
            weaviate, given.authority, given.other, corpus=given.corpus, history=given.history, recipe=given.recipe.split(",")
        )
    except (RuntimeError, OSError, httpx.HTTPError) as error:
        print(f"checker: {error}", file=sys.stderr)
        return 2
    finally:
        weaviate.close()
    print(json.dumps(found))
    return 1 if found["examples"] else 0


def _side(text: str) -> Side:
    """``Docs=openai:sandbox-word-1@http://127.0.0.1:1234/openai/v1``; the key is in the environment, as for the SDKs."""
    collection, _, rest = text.partition("=")
    api, _, rest = rest.partition(":")
    model, _, url = rest.partition("@")
    if api not in ("openai", "cohere") or not url:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLLECTION=API:MODEL@URL")
    key = os.environ.get("OPENAI_API_KEY" if api == "openai" else "CO_API_KEY", "")
    return Side(collection, Model(model, api, url, key))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("checker", description="Exit 0: nothing found; 1: defects; 2: it could not look.")
    parser.add_argument("--weaviate", required=True, help="root address of the server")
    parser.add_argument("--authority", required=True, type=_side, help="COLLECTION=API:MODEL@URL")
    parser.add_argument("--other", type=_side, help="the same for the collection that must be equal to it")
    parser.add_argument("--corpus", required=True, type=Path, help="what the collection was filled with, JSON Lines")
    parser.add_argument("--history", required=True, type=Path, help="the application's own, JSON Lines")
    parser.add_argument("--recipe", required=True, help="the embedded properties, in order, with commas")
    return parser


if __name__ == "__main__":
    sys.exit(main())
