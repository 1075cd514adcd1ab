"""``python -m vecferry.sandbox``: everything that a try-out needs, on this machine and without an account."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from vecferry.errors import BadInput

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="""A local stand-in for everything that vecferry talks to.

    \b
    python -m vecferry.sandbox corpus .vecferry/sandbox
    python -m vecferry.sandbox provider --port 8900
    python -m vecferry.sandbox weaviate
    python -m vecferry.sandbox traffic --help
    """,
)
PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command()
def corpus(
    folder: Annotated[Path, typer.Argument(help="Where corpus.jsonl and golden.jsonl go.")] = Path(".vecferry/sandbox"),
    documents: Annotated[int, typer.Option(min=1, help="Documents to sample.")] = 5000,
    queries: Annotated[int, typer.Option(min=1, help="Known-item queries to sample.")] = 1200,
    seed: Annotated[int, typer.Option(help="Another seed samples other documents and queries.")] = 20261101,
) -> None:
    """Write a corpus and its golden set from the docstrings of the installed packages.

    \b
    python -m vecferry.sandbox corpus
    python -m vecferry.sandbox corpus /tmp/small --documents 500 --queries 100
    """
    from vecferry.sandbox.corpus import build

    built = asdict(build(folder, documents=documents, queries=queries, seed=seed))
    typer.echo(json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in built.items()}))


@app.command()
def provider(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    corpus: Annotated[Path | None, typer.Option(help="JSON Lines to fit the models on (default: the sandbox's own).")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of the fitted models.")] = Path(".vecferry/sandbox"),
    host: Annotated[str, typer.Option(help="Leave the loopback only inside a container network.")] = "127.0.0.1",
    key: Annotated[list[str] | None, typer.Option(help="Let in only this API key; may be repeated.")] = None,
) -> None:
    """Serve OpenAI's and Cohere's embedding APIs until interrupted; prints the settings to use once it listens.

    \b
    python -m vecferry.sandbox provider --port 8900
    python -m vecferry.sandbox provider --corpus docs.jsonl --cache /tmp/models --key sandbox-key
    curl -X POST localhost:8900/_faults -d '{"kind": "rate_limit", "retry_after_s": 2, "rate": 0.1}'
    curl localhost:8900/_usage
    """
    from vecferry.sandbox.provider import Address, serve

    def ready(address: Address) -> None:
        for name, value in (
            ("OPENAI_BASE_URL", address.openai_url),
            ("CO_API_URL", address.cohere_url),
            ("VECFERRY_NOTICES", address.notices_url),
        ):
            typer.echo(f"{name}={value}")

    serve(port, corpus, cache, host=host, keys=key or (), ready=ready)


@app.command(context_settings=PASSED_ON)
def weaviate(context: typer.Context) -> None:
    """Run a Weaviate server; --help after it says how."""
    from vecferry.sandbox.weaviate_server import main as run

    raise typer.Exit(run(context.args) or 0)


@app.command(context_settings=PASSED_ON)
def traffic(context: typer.Context) -> None:
    """Run an application that searches and writes; --help after it says how."""
    from vecferry.sandbox.traffic import main as run

    raise typer.Exit(run(context.args) or 0)


def main() -> None:
    try:
        app()
    except BadInput as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
