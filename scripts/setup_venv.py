"""Makes the virtual environment and installs the project into it, unless that is done already.

Run by scripts/setup with any Python 3.11 or newer; needs the standard library only. What is there
is looked at each time and never remembered: nothing happens when the environment has every package
that pyproject.toml asks for. Two runs at once wait for one another.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VENV") or ROOT / ".venv").absolute()
PYTHON = VENV / "bin" / "python"

# Run by the Python in question: exit code 0 if it has what pyproject.toml asks for, else 1 and what is missing.
LOOK = r"""
import sys, sysconfig, tomllib
from importlib import metadata
from pathlib import Path

try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement

root, extra, whole = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "whole"
text = tomllib.loads((root / "pyproject.toml").read_text())
project = text["project"]


def wanted(extra):
    for line in project["optional-dependencies"][extra]:
        requirement = Requirement(line)
        if requirement.name == project["name"]:
            for inner in sorted(requirement.extras):
                yield from wanted(inner)
        elif requirement.marker is None or requirement.marker.evaluate():
            yield requirement


missing = []
for requirement in [*map(Requirement, project["dependencies"]), *wanted(extra)]:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        missing.append(requirement.name)
    else:
        if not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{requirement.name} (has {version})")
if whole:
    try:
        own = metadata.distribution(project["name"])
    except metadata.PackageNotFoundError:
        sys.exit("liberate itself")
    points = {(p.group, p.name, p.value) for p in own.entry_points}
    meant = {("console_scripts", name, value) for name, value in project["scripts"].items()}
    meant |= {
        (group, name, value) for group, names in project["entry-points"].items() for name, value in names.items()
    }
    script = Path(sysconfig.get_path("scripts")) / "liberate"
    sources = [str(root / folder) for folder in text["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]]
    if own.version != project["version"] or points != meant or not script.exists() or not set(sources) <= set(sys.path):
        missing.append("liberate itself")
elif not missing:
    import hatchling
print(", ".join(missing))
sys.exit(bool(missing))
"""


def main() -> None:
    extra = sys.argv[1] if len(sys.argv) == 2 else ""
    if extra not in ("all", "dev"):
        _stop("usage: scripts/setup all|dev")
    VENV.parent.mkdir(parents=True, exist_ok=True)
    with VENV.with_name(VENV.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _has(PYTHON, extra, "whole"):
            return
        if not _works():
            _make()
        _install(extra)
        if not _has(PYTHON, extra, "whole"):
            _stop(f"{VENV} is still incomplete after the installation. Delete it and run the same command again.")


def _has(python: Path, extra: str, what: str) -> bool:
    """Whether `python` has the packages of `extra`; "whole": and liberate from this folder too."""
    try:
        look = [python, "-c", LOOK, ROOT, extra, what]
        return subprocess.run(look, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _works() -> bool:
    """Whether there is an environment at VENV, in its own place, with a pip to install with."""
    try:
        ask = [PYTHON, "-c", "import pip, sys; print(sys.prefix)"]
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and Path(done.stdout.strip()) == VENV


def _make() -> None:
    if VENV.exists():
        if not (VENV / "pyvenv.cfg").exists() and any(VENV.iterdir()):
            _stop(f"{VENV} is there and is no virtual environment. Move it away, or set VENV to another folder.")
        shutil.rmtree(VENV)
    _say(f"making a virtual environment in {VENV}")
    try:
        import ensurepip  # noqa: F401, PLC0415  # Debian ships it in a package of its own
        import venv  # noqa: F401, PLC0415
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        _stop(
            f"Python {version} on this machine cannot make virtual environments.\n"
            f"On Debian and Ubuntu: sudo apt-get install python3-venv   (or python{version}-venv)\n"
            "Then run the same command again."
        )
    base = getattr(sys, "_base_executable", sys.executable)  # not the environment that is active, if one is
    _run([base, "-m", "venv", VENV], "The virtual environment could not be made.")


def _install(extra: str) -> None:
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
    if _has(PYTHON, extra, "packages"):
        _say("installing liberate anew")
        pip += ["--no-deps", "--no-build-isolation"]
    elif _has(Path(sys.executable), extra, "packages"):
        # The packages are there already: they are used where they are, and nothing is downloaded.
        _say("using the packages of the Python that is active here")
        folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        home = subprocess.check_output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        (Path(os.fsdecode(home).strip()) / "outer.pth").write_text("\n".join(folders) + "\n")
        pip += ["--no-deps", "--no-build-isolation"]
    else:
        _say("installing liberate and its packages; the first time takes a minute")
    _run(
        [*pip, "--editable", f"{ROOT}[{extra}]"],
        "The packages could not be installed. What pip said stands above. Is the package index within reach?",
    )


def _run(command: list[str | Path], sentence: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        _stop(sentence)


def _say(sentence: str) -> None:
    print(f"setup: {sentence}", file=sys.stderr, flush=True)


def _stop(sentence: str) -> NoReturn:
    print(f"setup: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
