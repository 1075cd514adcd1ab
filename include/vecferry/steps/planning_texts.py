"""The sampled objects' texts, as the new model will take them: how long, how many too long, how many none at all."""

from __future__ import annotations

from collections.abc import Sequence

from vecferry.domain.objects import StoredObject
from vecferry.domain.recipe import TextRecipe
from vecferry.domain.sampled_texts import SampledText
from vecferry.ports import Embedder


def sampled_texts(recipe: TextRecipe, embedder: Embedder, objects: Sequence[StoredObject]) -> list[SampledText]:
    return [_sampled(recipe, embedder, obj) for obj in objects]


def _sampled(recipe: TextRecipe, embedder: Embedder, obj: StoredObject) -> SampledText:
    text = recipe.text_of(obj.properties)
    if text is None:
        return SampledText(obj.uuid, None, True, recipe.not_text(obj.properties))
    return SampledText(obj.uuid, embedder.count_tokens(text)[0], embedder.fits(text), recipe.not_text(obj.properties))
