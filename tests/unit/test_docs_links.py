"""Every file that the documentation links to is there, and every decision is in the list of decisions."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
ADR = ROOT / "docs" / "adr"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ADR.glob("*.md"))]

_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.M | re.S)
_TARGET = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s+<?([^\s>]+)", re.M)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#", re.I)


def broken_links(page: Path) -> list[str]:
    """Targets of ``page`` that are no file or folder; addresses on the web and places on the same page are not looked at."""
    found = [inline or named for inline, named in _TARGET.findall(_CODE.sub("", page.read_text(encoding="utf-8")))]
    files = [unquote(target.partition("#")[0]) for target in found if not _ELSEWHERE.match(target)]
    return [name for name in files if not (page.parent / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_links_to_exists(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_a_file_that_is_not_there_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "there is.md").write_text("", encoding="utf-8")
    page.write_text(
        "[a](there%20is.md#part) [b](gone.md) [c](https://example.org/x.md) [d](#part) `[e](code.md)`\n"
        "```\n[f](fenced.md)\n```\n[g]: gone-too.md\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["gone.md", "gone-too.md"]


def test_every_decision_is_listed_once_under_its_number() -> None:
    decisions = sorted(path.name for path in ADR.glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\)", (ADR / "README.md").read_text(encoding="utf-8"), re.M)
    assert sorted(name for _, name in listed) == decisions
    assert all(name.startswith(f"{number}-") for number, name in listed)
    assert len({number for number, _ in listed}) == len(listed)
