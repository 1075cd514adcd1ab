"""What both APIs ask for, once it is read and found in order."""

from __future__ import annotations

from dataclasses import dataclass

MAX_TOKENS_PER_INPUT = 8192


@dataclass(frozen=True)
class EmbedRequest:
    """``api`` is ``openai`` or ``cohere``; OpenAI's has no ``input_type``. ``key`` is masked already."""

    api: str
    model: str
    texts: list[str]
    input_type: str | None
    key: str

    @property
    def tokens(self) -> int:
        return sum(map(tokens_of, self.texts))


def tokens_of(text: str) -> int:
    """Four characters a token: near enough for English, and a caller can work it out without a tokeniser."""
    return max(1, len(text) // 4)
