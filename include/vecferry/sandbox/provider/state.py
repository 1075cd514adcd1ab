"""What one running provider knows: its models, who may ask, what is switched on, and what was asked."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.sandbox.models import Model
from vecferry.sandbox.provider.faults import Faults
from vecferry.sandbox.provider.limits import Limits
from vecferry.sandbox.provider.notices import Notices
from vecferry.sandbox.provider.refusal import Refusal, unknown_model
from vecferry.sandbox.provider.usage import Usage
from vecferry.sandbox.provider.vectors import RememberingModel


class ProviderState:
    """``keys``: the API keys that are let in; none given lets everybody in."""

    def __init__(self, models: dict[str, Model], keys: Sequence[str] = ()) -> None:
        self.models = {name: RememberingModel(model) for name, model in models.items()}
        self.keys = frozenset(keys)
        self.faults = Faults(list(models))
        self.limits = Limits()
        self.notices = Notices()
        self.usage = Usage()

    def let_in(self, key: str | None) -> None:
        if self.keys and key not in self.keys:
            raise Refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    def known(self, model: object) -> str:
        if not isinstance(model, str) or model not in self.models:
            raise unknown_model(model, list(self.models))
        return model
