"""Install a built wheel where only it and the tests are seen, and run the quick tests on it.

    python installed.py DIST_FOLDER

The wheel for this platform is chosen by pip; the checkout's own `src` is not on the path, since
the tests are run from a copy that has none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
COPIED = ("tests", "docs", "bench", "deploy", "training", "pyproject.toml", "README.md")
GOLDEN = ROOT / "tests" / "golden"


def main(dist: Path) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        venv.create(folder / "venv", with_pip=True)
        place = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python = str(place / "python")
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
        wheels = str(dist.resolve())
        subprocess.run(
            [*pip, "--no-index", "--no-deps", "--find-links", wheels, "qingyu"], check=True
        )
        subprocess.run([*pip, "qingyu[build,files,hub]"], check=True)
        subprocess.run([*pip, "--group", "test"], check=True, cwd=ROOT)
        replay = [python, "-I", str(ROOT / "tests/packaging/replay.py"), str(GOLDEN)]
        subprocess.run(replay, check=True, cwd=folder)
        checkout = folder / "checkout"
        checkout.mkdir()
        for name in COPIED:
            origin = ROOT / name
            copy = shutil.copytree if origin.is_dir() else shutil.copy
            copy(origin, checkout / name)
        quick = [python, "-m", "pytest", "-q", "-m", "not slow and not browser", "tests/tasks"]
        return subprocess.run(
            [*quick, "tests/text", "tests/engine", "tests/jobs"], cwd=checkout
        ).returncode


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
