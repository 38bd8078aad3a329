"""What is in the wheel and the sdist, and that it works where nothing else of the project is."""

from __future__ import annotations

import ast
import json
import re
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging_kit import ROOT, Built, Installed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = sorted(
    path.name
    for root in ("src", "connectors", "cli")
    for path in (ROOT / root).iterdir()
    if (path / "__init__.py").exists()
)
CONNECTORS = PROJECT["entry-points"]["liberate.connectors"]


def _files(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_every_package_and_nothing_beside_them(built: Built) -> None:
    tops = {name.split("/")[0] for name in _files(built.wheel)}
    assert sorted(top for top in tops if not top.endswith(".dist-info")) == PACKAGES


def test_the_wheel_holds_every_module_of_the_source_tree(built: Built) -> None:
    held = set(_files(built.wheel))
    ours = {
        path.relative_to(ROOT / root).as_posix()
        for root in ("src", "connectors", "cli")
        for path in (ROOT / root).rglob("*.py")
    }
    assert ours <= held, sorted(ours - held)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(built: Built, package: str) -> None:
    assert f"{package}/py.typed" in _files(built.wheel)


def test_the_wheel_holds_the_licence_and_no_tests(built: Built) -> None:
    files = _files(built.wheel)
    assert any(re.fullmatch(r"liberate_migrate-[^/]+\.dist-info/licenses/LICENSE", name) for name in files)
    assert not [name for name in files if "/tests/" in f"/{name}" or name.rsplit("/", 1)[-1].startswith("test_")]
    assert not [name for name in files if name.endswith((".pyc", ".md"))]


def test_the_sdist_holds_what_a_packager_needs(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "src/liberate/connector.py"} <= names
    assert not [name for name in names if name.startswith((".venv", ".git/"))]


def test_every_entry_point_of_the_installed_wheel_loads(installed: Installed) -> None:
    script = (
        "from importlib.metadata import distribution\n"
        f"for point in distribution({PROJECT['name']!r}).entry_points:\n"
        "    point.load()\n"
        "    print(point.group, point.name)\n"
    )
    loaded = {tuple(line.split()) for line in installed.run("-c", script).splitlines()}
    meant = {("console_scripts", name) for name in PROJECT["scripts"]}
    meant |= {(group, name) for group, names in PROJECT["entry-points"].items() for name in names}
    assert loaded == meant


def test_the_installed_packages_are_not_those_of_the_source_tree(installed: Installed) -> None:
    for package in PACKAGES:
        home = installed.run("-c", f"import {package}; print({package}.__file__)").strip()
        assert Path(home).is_relative_to(installed.python.parent.parent), home


def test_the_installed_command_tells_its_version(installed: Installed) -> None:
    assert PROJECT["version"] in installed.run(str(installed.python.with_name("liberate")), "--version")


SDKS = {"google": "googleapiclient", "imap": "imapclient"}
WITHOUT = (
    "import sys; sys.modules[{sdk!r}] = None; import liberate_cli.main as cli; sys.argv[0] = 'liberate'; cli.main()"
)


@pytest.mark.parametrize("sdk", sorted(SDKS.values()))
def test_the_command_works_without_a_vendors_sdk(installed: Installed, sdk: str) -> None:
    run = WITHOUT.format(sdk=sdk)
    assert "migrate" in installed.run("-c", run, "--help")
    listed = json.loads(installed.run("-c", run, "connectors", "--json"))
    assert {connector["name"] for connector in listed} == set(CONNECTORS)


OPEN = """
import sys
sys.modules["googleapiclient"] = None
from liberate.connector import Account
from liberate.errors import LiberateError
from liberate.registry import connector

google = connector("google")
try:
    with google.source(google.settings(service_account_file="sa.json"), Account("anna@example.coop")) as source:
        list(source.collections())
except LiberateError as error:
    print(error)
"""


def test_a_missing_sdk_is_told_by_the_extra_that_brings_it(installed: Installed) -> None:
    told = installed.run("-c", OPEN)
    assert f"{PROJECT['name']}[google]" in told
    assert "Traceback" not in told


def _imported(package: str) -> set[str]:
    """The top-level modules that a package of ours imports, wherever in its code."""
    (home,) = (ROOT / root / package for root in ("src", "connectors", "cli") if (ROOT / root / package).exists())
    found = set()
    for path in home.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_is_imported_is_asked_for(package: str) -> None:
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    brought_along = {"google", "httplib2", "pydantic_core"}  # by packages that are asked for, and made for it
    homes = packages_distributions()
    for module in sorted(_imported(package) - brought_along):
        assert declared & {canonicalize_name(name) for name in homes.get(module, [])}, module
