"""A process of the release before: run with that release first on ``PYTHONPATH``; it does what each line of its input says.

First line: ``{"pin": …, "collection": …}``; it makes the ledger and the pin, and connects. Then ``put``, ``update``, ``delete``
and ``search``, each answered by one line.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import vecferry
from vecferry import settings
from vecferry.bootstrap import close_ports, connect_ports
from vecferry.domain.pins import Pin
from vecferry.domain.recipe import TextRecipe


def main() -> None:
    begin = json.loads(sys.stdin.readline())
    ports = connect_ports(settings.load())
    space = ports.catalogue.card("openai/small").space
    pin = Pin(begin["pin"], begin["collection"], space, TextRecipe(("body",)))
    ports.ledger.save_pin(pin, who="the release before", why="test")
    close_ports(ports)
    with vecferry.Router.connect(begin["pin"]) as router:
        _say({"from": vecferry.__file__})
        for line in sys.stdin:
            _say(_done(router, **json.loads(line)))


def _done(router: Any, act: str, key: str = "", body: str = "") -> dict[str, Any]:
    try:
        match act:
            case "put":
                return {"acknowledged": list(router.put(key, {"body": body}, timeout=20).uuids)}
            case "update":
                return {"acknowledged": list(router.update(key, {"body": body}, timeout=20).uuids)}
            case "delete":
                return {"acknowledged": list(router.delete(key, timeout=20).uuids)}
            case "search":
                hits = router.search(body, key="u", limit=3, timeout=20)
                return {"found": [hit.uuid for hit in hits], "arm": str(hits.arm)}
        return {"error": f"no such act: {act}"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
