"""The page that explains plans is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from liberate.plan import load_plan
from liberate.settings import SecretRef

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "plan.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_plan_on_the_page_loads(folder: Path) -> None:
    (folder / "liberate.toml").write_text(blocks("toml")[0])
    (folder / "people.csv").write_text(blocks("csv")[0])
    plan = load_plan(folder / "liberate.toml")
    assert [move.label for move in plan.moves()] == ["anna@old.example", "info@old.example"]
    assert plan.job_dir == folder / "solros.job"


@pytest.mark.parametrize("line", blocks("toml")[1].splitlines())
def test_each_way_to_name_a_secret_is_one(line: str, folder: Path) -> None:
    plan = re.sub(r"^master_password.*$", lambda _: line, blocks("toml")[0], flags=re.MULTILINE)
    (folder / "liberate.toml").write_text(plan)
    (folder / "people.csv").write_text(blocks("csv")[0])
    settings = load_plan(folder / "liberate.toml").connections["mail"].settings
    assert isinstance(settings.master_password, SecretRef)  # type: ignore[attr-defined]
