"""Which key and which address a model's requests use. Keys show in no repr, log or error; their *names* do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from vecferry.domain.catalogue import Api, ModelCard
from vecferry.domain.pins import Pin
from vecferry.errors import BadInput

KEY_NAMES: dict[Api, str] = {"openai": "OPENAI_API_KEY", "cohere": "CO_API_KEY"}
URL_NAMES: dict[Api, str] = {"openai": "OPENAI_BASE_URL", "cohere": "CO_API_URL"}
DEFAULT_URLS: dict[Api, str] = {"openai": "https://api.openai.com/v1", "cohere": "https://api.cohere.com"}


@dataclass(frozen=True)
class Credential:
    """``key_name`` says to people where the key is held."""

    base_url: str
    key_name: str
    api_key: SecretStr = field(repr=False)

    @property
    def account(self) -> str:
        """Equal for equal server and key, and telling neither; limits are an account's."""
        return hashlib.blake2b(f"{self.base_url}\0{self.api_key.get_secret_value()}".encode(), digest_size=8).hexdigest()


class Credentials:
    """From a mapping with the names of design.md §8. ``held_in`` is added to the key's name for people.

    ``pin`` is there for sources that know more than one account, such as Airflow Connections that a pin names.
    """

    def __init__(self, values: Mapping[str, str], *, held_in: str = "") -> None:
        self._values = {name: SecretStr(value) for name, value in values.items() if value}
        self._held_in = held_in

    def of(self, card: ModelCard, pin: Pin | None = None) -> Credential:
        """Raises ``BadInput`` when the provider's own server would be asked without a key."""
        base_url = card.base_url or self._value(URL_NAMES[card.api]) or DEFAULT_URLS[card.api]
        name = self._key_name(card)
        key = self._value(name) if name else ""
        held = f"{name} {self._held_in}".strip() if name else "api_key_env of its catalogue entry"
        if not key and (card.api_key_env or base_url == DEFAULT_URLS[card.api]):
            raise BadInput(f"no API key: {held} is not set", where=card.space.id, next_action=f"Set {held}.")
        # Servers of one's own often want no key, but the SDKs insist on one.
        return Credential(base_url, held, SecretStr(key or "unused"))

    def _key_name(self, card: ModelCard) -> str:
        """A stranger's server (own provider name, own address) must not be sent the OpenAI or Cohere key."""
        if card.api_key_env:
            return card.api_key_env
        own_server = card.provider != card.api and bool(card.base_url)
        return "" if own_server else KEY_NAMES[card.api]

    def _value(self, name: str) -> str:
        secret = self._values.get(name)
        return secret.get_secret_value() if secret else ""


def from_environment(given: Mapping[str, str] | None = None, *, env_file: str = ".env") -> Credentials:
    """Everything that a card may name, from the environment and, where silent, ``.env``; ``given`` is above both."""
    from dotenv import dotenv_values

    in_file = {name: value for name, value in dotenv_values(env_file).items() if value}
    return Credentials({**in_file, **os.environ, **(given or {})})
