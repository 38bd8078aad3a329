"""Makes the virtual environment with Synapse in it that tests run against, unless it is there already.

Run by scripts/synapse-venv with the project's own Python. It is kept in the user's cache, or where
LIBERATE_SYNAPSE says, and shared by all copies of the project. Two runs at once wait for one another.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys

from liberate_matrix.sandbox import WANTED, home


def main() -> None:
    venv = home().absolute()
    done = venv / "complete"
    wanted = " ".join(WANTED)
    venv.parent.mkdir(parents=True, exist_ok=True)
    with venv.with_name(venv.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.is_file() and done.read_text() == wanted and (venv / "bin" / "python").exists():
            return
        if venv.exists():
            if not (venv / "pyvenv.cfg").exists() and any(venv.iterdir()):
                sys.exit(
                    f"setup: {venv} is there and is no virtual environment. Set LIBERATE_SYNAPSE to another folder."
                )
            shutil.rmtree(venv)
        print(f"setup: installing Synapse into {venv}; this takes a minute", file=sys.stderr, flush=True)
        base = getattr(sys, "_base_executable", sys.executable)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *WANTED]
        for command in ([base, "-m", "venv", venv], pip):
            if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
                sys.exit("setup: Synapse could not be installed. What pip said stands above.")
        done.write_text(wanted)


if __name__ == "__main__":
    main()
