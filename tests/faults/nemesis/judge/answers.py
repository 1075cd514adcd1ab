"""Each search is answered by one space, and by which texts: its scores against what the provider says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.nemesis.judge.outcome import Defect
from tests.faults.nemesis.judge.seed_folder import AT, SeedFolder
from tests.faults.nemesis.judge.spaces import Similarities
from tests.faults.nemesis.judge.text_versions import TextVersions
from vecferry.sandbox.checker.reading import Row

SAME_SCORE = 0.005
"""Weaviate computes in 32 bits, and hands the score over so; other texts and other spaces are much further off."""
LIMIT = 10
"""Hits that an application asks for: the Router's default."""
MOST_LEFT_OUT = 2
"""Deleted in the very moment of one search; an answer that is shorter than that has another reason."""
_BENT = ("silent", "foreign")
_BENT_MARGIN_S = 2.0


@dataclass
class Answers:
    """What the searches of a seed showed."""

    defects: list[Defect] = field(default_factory=list)
    judged: int = 0
    unjudged: int = 0
    worst_staleness_s: float | None = None


def judge_answers(folder: SeedFolder) -> Answers:
    """The score of a vector search is the cosine of query and text, in the space that answered.

    Where the provider was made to give vectors of another space under the same name, scores say nothing about the Router.
    """
    answers, versions = Answers(), TextVersions(folder)
    similarities = {
        collection: Similarities(folder.model(collection)) for collection in dict.fromkeys([folder.live, *folder.shadows])
    }
    told = [(app.name, row) for app in folder.apps for row in app.searches if row["ok"]]
    _learn([row for _, row in told], similarities, versions)
    bent = _bent_times(folder)
    for app, row in told:
        subject = f"{app} {row['invoked']:.3f}"
        wrong = _not_a_unit(row, folder)
        if not wrong and _during(row, bent):
            answers.unjudged += 1
        elif not wrong:
            wrong = _judge_hits(row, similarities[row["collection"]], versions, answers)
        if wrong:
            answers.defects.append(Defect("mixed_answers", subject, wrong, (row[AT],)))
    return answers


def _not_a_unit(row: Row, folder: SeedFolder) -> str:
    """Collection and model belong together; empty if they do."""
    collection = row["collection"]
    if collection != folder.live and collection not in folder.shadows:
        return f"answered from {collection}, which is no collection of this run"
    wanted, said = folder.model(collection).name, _model_of(row["space"])
    return "" if said == wanted else f"{collection} was searched with {said}; its vectors are {wanted}'s"


def _judge_hits(row: Row, similarities: Similarities, versions: TextVersions, answers: Answers) -> str:
    compared = 0
    for place, (uuid, score) in enumerate(row["hits"]):
        if not versions.known(uuid):
            return f"found {uuid}, which nobody ever wrote"
        texts = [version for version in versions.of(uuid) if version.text is not None]
        if len(versions.of(uuid)) == 1 and texts:
            compared += 1
            wanted = similarities.of(row["query"], str(texts[0].text))
            if not _gives(row["hits"], place, wanted):
                return f"{uuid} has the score {score:.4f}; in the space of {similarities.model.name} it would be {wanted:.4f}"
        elif texts:
            _note_staleness(row, uuid, score, similarities, versions, answers)
    answers.judged += bool(compared)
    return ""


def _gives(hits: Sequence[Sequence[Any]], place: int, wanted: float) -> bool:
    """Whether the hit has its score, or one further down has it.

    Weaviate leaves out an object that is deleted while it is being found, and not its distance: every hit behind it then
    carries the distance of the one before. Such an answer is shorter by as many hits as were left out.
    """
    left_out = LIMIT - len(hits)
    left_out = left_out if left_out in range(1, MOST_LEFT_OUT + 1) else 0
    own_or_later = [score for _, score in hits[place : place + 1 + left_out]]
    unseen = place + left_out >= len(hits) and wanted <= hits[-1][1]
    return unseen or any(abs(score - wanted) <= SAME_SCORE for score in own_or_later)


def _note_staleness(
    row: Row, uuid: str, score: float, similarities: Similarities, versions: TextVersions, answers: Answers
) -> None:
    """The newest text that gives this score: had it been replaced before the search began, and for how long?"""
    for version in reversed(versions.of(uuid)):
        if version.text is None or version.asked_at > row["answered"]:
            continue
        if abs(score - similarities.of(row["query"], version.text)) <= SAME_SCORE:
            behind_s = row["invoked"] - version.replaced_at if version.replaced_at is not None else 0.0
            answers.worst_staleness_s = round(max(answers.worst_staleness_s or 0.0, behind_s), 3)
            return


def _learn(rows: Sequence[Row], similarities: dict[str, Similarities], versions: TextVersions) -> None:
    for collection, known in similarities.items():
        mine = [row for row in rows if row["collection"] == collection]
        uuids = {uuid for row in mine for uuid, _ in row["hits"]}
        texts = {version.text for uuid in uuids for version in versions.of(uuid) if version.text is not None}
        known.learn({row["query"] for row in mine}, texts)


def _bent_times(folder: SeedFolder) -> list[tuple[float, float]]:
    bent = (row for row in folder.injected if any(word in row["fault"] for word in _BENT))
    return [(row["began"] - _BENT_MARGIN_S, (row.get("ended") or float("inf")) + _BENT_MARGIN_S) for row in bent]


def _during(row: Row, times: Sequence[tuple[float, float]]) -> bool:
    return any(row["invoked"] <= end and row["answered"] >= start for start, end in times)


def _model_of(space: str) -> str:
    """``openai/sandbox-word-1@384`` → ``sandbox-word-1``."""
    return space.rpartition("/")[2].partition("@")[0]
