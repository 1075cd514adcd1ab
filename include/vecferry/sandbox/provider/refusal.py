"""Why a request was not answered; each API writes it in its own words."""

from __future__ import annotations


class Refusal(Exception):
    """``status`` and ``message`` are what both APIs send; ``kind``, ``code`` and ``param`` are OpenAI's error fields."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s


def unknown_model(name: object, known: list[str]) -> Refusal:
    return Refusal(
        404,
        f"The model `{name}` does not exist or you do not have access to it. Known here: {', '.join(known)}.",
        code="model_not_found",
        param="model",
    )


def out_of_quota() -> Refusal:
    return Refusal(
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        kind="insufficient_quota",
        code="insufficient_quota",
    )


def rate_limited(what: str, retry_after_s: float) -> Refusal:
    return Refusal(
        429,
        f"Rate limit reached: {what}. Please try again in {retry_after_s:.3f}s.",
        kind="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after_s=retry_after_s,
    )
