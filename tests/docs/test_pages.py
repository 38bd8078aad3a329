"""The documentation holds together: links lead somewhere, commands exist, words are the glossary's."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from docs_kit import DOCS, ROOT, anchors, blocks, links, name_of, pages, prose
from liberate_cli.main import cli

from liberate import load_plan

PAGES = pytest.mark.parametrize("page", pages(), ids=name_of)


@PAGES
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert not broken


def test_every_page_is_within_reach_of_the_first() -> None:
    todo, seen = [ROOT / "README.md"], set()
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        near = (link.partition("#")[0] for link in links(page) if not re.match(r"[a-z]+:", link))
        todo += [(page.parent / link).resolve() for link in near if link and (page.parent / link).is_file()]
    assert not {name_of(page) for page in pages()} - {name_of(page) for page in seen}


def _calls(page: Path) -> set[tuple[str, tuple[str, ...]]]:
    """Each `liberate COMMAND --option` that the page shows as code."""
    text = page.read_text(encoding="utf-8")
    shown = [*re.findall(r"`(liberate [^`]+)`", text)]
    shown += [
        re.sub(r"^[$>] ", "", line)
        for block in blocks(page)
        if block.language in ("console", "sh", "text", "")
        for line in block.text.splitlines()
        if re.match(r"(\$ )?liberate [a-z]", line)
    ]
    out = set()
    for call in shown:
        command = call.split()[1]
        if re.fullmatch(r"[a-z]+", command):
            inner = call.split()[2:3]
            if isinstance(cli.get_command(click.Context(cli), command), click.Group) and inner:
                command = f"{command} {inner[0]}"
            out.add((command, tuple(re.findall(r"(?<=\s)--[a-z-]+", call))))
    return out


@PAGES
def test_every_command_and_option_that_a_page_shows_exists(page: Path) -> None:
    run = CliRunner()
    for command, options in sorted(_calls(page)):
        told = run.invoke(cli, [*command.split(), "--help"])
        assert told.exit_code == 0, f"liberate {command}"
        for option in options:
            assert re.search(rf"{option}\b", told.output), f"liberate {command} {option}"


@PAGES
def test_every_plan_that_a_page_gives_to_be_saved_loads(page: Path, tmp_path: Path) -> None:
    files = [block for block in blocks(page) if block.file is not None]
    for block in files:
        assert block.file is not None
        with (tmp_path / block.file).open("a", encoding="utf-8") as file:
            file.write(block.text)
    if (tmp_path / "liberate.toml").exists():
        assert list(load_plan(tmp_path / "liberate.toml").moves())


# What belongs to one machine or one place on the net, never to a page.
_FORBIDDEN = re.compile(r"/root/|/home/(?!anna)|/opt/|\blocalhost:\d")
_LOOSE = re.compile(r"\b(?:TODO|FIXME|XXX|[Ll]orem|[Tt]arget mailbox|[Ss]ynchroni[sz]e)\b")


@PAGES
def test_no_page_names_one_machine_or_leaves_work_lying_about(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not _FORBIDDEN.findall(text)
    assert not _LOOSE.findall(text)


def test_every_word_of_the_glossary_is_used() -> None:
    words = re.findall(r"^\| ([A-Z][a-z-]+) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(words) > 20
    text = " ".join(prose(page) for page in pages() if page.name != "glossary.md").casefold()
    assert not [word for word in words if not re.search(rf"\b{word.casefold()}", text)]


def test_every_decision_is_numbered_once_and_says_why() -> None:
    decisions = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    assert [page.name[:4] for page in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for page in decisions:
        headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings[:3] == ["The question", "What we do", "What it costs"], page.name
