"""httpx and httpx2 name everything alike: what the SDKs' transports raise means the same, whichever it is."""

from __future__ import annotations

import httpx
import httpx2
import pytest
from pydantic import SecretStr

from vecferry.adapters.embedders.api import MaybeBilled
from vecferry.adapters.embedders.credentials import Credential
from vecferry.adapters.embedders.translating import Place
from vecferry.adapters.embedders.transport import answered, timeout_within, transport_failure
from vecferry.errors import BadInput, Retryable

PLACE = Place("openai/m@4", "m", Credential("http://127.0.0.1:9", "OPENAI_API_KEY", SecretStr("the-secret-key")))

pytestmark = pytest.mark.parametrize("http", [httpx, httpx2], ids=["httpx", "httpx2"])


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("UnsupportedProtocol", BadInput, "no usable address"),
        ("InvalidURL", BadInput, "no usable address"),
        ("ConnectError", Retryable, "cannot be reached"),
        ("ConnectTimeout", Retryable, "cannot be reached"),
        ("PoolTimeout", Retryable, "cannot be reached"),
        ("ReadTimeout", MaybeBilled, "no answer in time"),
        ("WriteTimeout", MaybeBilled, "no answer in time"),
        ("ReadError", MaybeBilled, "the connection broke"),
        ("RemoteProtocolError", MaybeBilled, "the connection broke"),
    ],
)
def test_only_what_was_never_sent_is_certainly_not_billed(http, name, kind, says) -> None:
    failure = transport_failure(getattr(http, name)("why the-secret-key"), PLACE, http)
    assert type(failure) is kind
    assert says in failure.what
    assert "the-secret-key" not in str(failure)


def test_what_is_not_the_transports_own_is_left_to_the_vendor(http) -> None:
    assert transport_failure(ValueError("no JSON"), PLACE, http) is None
    assert transport_failure(http.DecodingError("no gzip"), PLACE, http) is None


def test_connecting_may_take_half_of_the_time(http) -> None:
    limit = timeout_within(8.0, http)
    assert isinstance(limit, http.Timeout)
    assert (limit.read, limit.connect, limit.pool) == (8.0, 4.0, 4.0)


def test_an_error_about_the_key_is_not_chained_for_its_text_quotes_it(http) -> None:
    class Refused(Exception):
        status_code = 401

    def refuse() -> None:
        raise Refused("the-secret-key")

    with pytest.raises(BadInput) as caught:
        answered(refuse, lambda error, place: BadInput("refused", where=place.where), PLACE)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    def break_off() -> None:
        raise http.ReadError("gone")

    with pytest.raises(Retryable) as caught_too:
        answered(break_off, lambda error, place: transport_failure(error, place, http) or error, PLACE)
    assert isinstance(caught_too.value.__cause__, http.ReadError)
