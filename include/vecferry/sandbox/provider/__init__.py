"""A loopback server that speaks OpenAI's and Cohere's embedding APIs over the sandbox's models.

``with running(provider_state(corpus, cache)) as address:`` in tests, :func:`serve` or
``python -m vecferry.sandbox provider`` otherwise. Addresses: :mod:`.app`; what can be switched and read:
:mod:`.control_api`; what can be made to go wrong: :mod:`.faults`. Tokens are counted as ``max(1, len(text) // 4)``.
"""

from vecferry.sandbox.provider.app import create_app
from vecferry.sandbox.provider.serving import Address, provider_state, running, serve
from vecferry.sandbox.provider.state import ProviderState

__all__ = ["Address", "ProviderState", "create_app", "provider_state", "running", "serve"]
