"""Settings from the environment and ``.env``; the defaults are the ones that docs/guarantees.md argues for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from vecferry.domain.gates import Gates
from vecferry.domain.timing import Timings
from vecferry.errors import BadInput


def _default_ledger_url() -> str:
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return f"sqlite:///{Path(data) / 'vecferry' / 'ledger.db'}"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="VECFERRY_", env_nested_delimiter="__", env_file=".env", extra="ignore", frozen=True
    )

    ledger_url: str = ""
    weaviate_url: str = "http://127.0.0.1:8080"
    weaviate_grpc: str = "127.0.0.1:50051"
    weaviate_api_key: SecretStr | None = None
    models: Path | None = None
    notices: str = ""
    who: str = ""
    timings: Timings = Timings()
    gates: Gates = Gates()

    def resolved_ledger_url(self) -> str:
        return self.ledger_url or _default_ledger_url()


def load(**overrides: Any) -> Settings:
    """Settings from the environment; a value that cannot be right is named, with where it came from."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        wrong = "; ".join(f"VECFERRY_{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise BadInput(wrong, where="settings", next_action="Correct the environment variable or the .env file.") from error
