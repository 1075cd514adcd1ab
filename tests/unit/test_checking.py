import math

import pytest

from vecferry.adapters.embedders.api import Answer, MaybeBilled
from vecferry.adapters.embedders.checking import ZERO, checked
from vecferry.domain.catalogue import ModelCard
from vecferry.errors import BadInput, NeedsPerson

CARD = ModelCard("acme", "m", "openai", 2)
FREE = ModelCard("acme", "m", "openai", 2, normalised=False)


def check(vectors, count, card=CARD):
    return checked(card, Answer(vectors, 1), count, where="acme/m@2 at http://x")


def test_a_right_answer_passes_unchanged():
    assert check([[0.6, 0.8], [1.0, 0.0]], 2) == ((0.6, 0.8), (1.0, 0.0))


@pytest.mark.parametrize("vectors", [[], [[1.0, 0.0]], [[1.0, 0.0]] * 3])
def test_another_count_may_be_tried_again(vectors):
    with pytest.raises(MaybeBilled) as caught:
        check(vectors, 2)
    assert str(caught.value) == (
        f"acme/m@2 at http://x: the answer has {len(vectors)} vectors for 2 texts, so none can be assigned. "
        "Try again; if it stays so, the server is at fault."
    )


def test_other_dimensions_name_both_numbers():
    with pytest.raises(BadInput) as caught:
        check([[1.0, 0.0, 0.0]], 1)
    assert caught.value.what == "the catalogue says 2 dimensions, the model answers with 3"
    assert caught.value.next_action == "Set dimensions = 3 for acme/m in the file that VECFERRY_MODELS names."


def test_mixed_lengths_are_refused_too():
    with pytest.raises(BadInput, match="2 dimensions, the model answers with 1"):
        check([[1.0, 0.0], [1.0]], 2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_may_be_tried_again(bad):
    with pytest.raises(MaybeBilled, match="1 of 2 vectors hold NaN or infinity"):
        check([[1.0, 0.0], [bad, 0.0]], 2)


def test_a_norm_that_the_catalogue_denies_is_for_a_person():
    with pytest.raises(NeedsPerson, match="one has the norm 5"):
        check([[1.0, 0.0], [3.0, 4.0]], 2)
    assert check([[3.0, 4.0]], 1, FREE) == ((3.0, 4.0),)


@pytest.mark.parametrize("norm", [0.995, 1.005])
def test_rounding_is_no_other_norm(norm):
    assert check([[norm, 0.0]], 1) == ((norm, 0.0),)


@pytest.mark.parametrize("card", [CARD, FREE])
def test_zeros_refuse_that_text_alone(card):
    assert check([[1.0, 0.0], [0.0, 0.0]], 2, card) == ((1.0, 0.0), ZERO)
