"""The sandbox's provider on a loopback port, and the vendors' own SDKs pointed at it."""

import cohere
import httpx
import openai
import pytest

from tests.integration.sandbox_provider.asking import KEY, OTHER_KEY
from vecferry.sandbox.corpus import build, load_corpus, texts_of
from vecferry.sandbox.models import load_models
from vecferry.sandbox.provider import ProviderState, running


@pytest.fixture(scope="package")
def models(tmp_path_factory):
    built = build(tmp_path_factory.mktemp("corpus"), documents=150, queries=10, packages=("httpx", "pydantic"))
    return load_models(texts_of(load_corpus(built.corpus)))


@pytest.fixture(scope="package")
def address(models):
    with running(ProviderState(models, keys=(KEY, OTHER_KEY))) as address:
        yield address


@pytest.fixture
def control(address):
    """The sandbox's own routes, with nothing switched on and nothing counted before and after."""

    def clear(client):
        for route in ("/_faults", "/_limits", "/_notices", "/_usage"):
            client.delete(route).raise_for_status()

    with httpx.Client(base_url=address.url, timeout=10) as client:
        clear(client)
        yield client
        clear(client)


@pytest.fixture
def ask_openai(address, control):
    with openai.OpenAI(base_url=address.openai_url, api_key=KEY, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def ask_cohere(address, control):
    return cohere.ClientV2(api_key=KEY, base_url=address.cohere_url, timeout=10)
