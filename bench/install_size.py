"""What a user's clean environment weighs, and how long `import qingyu` takes in it.

    make install-size

Installs this checkout into a temporary virtual environment with ordinary pip.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
INSTALLER = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources")
SHOWN = 12
RUNS = 9
# One interpreter a run: first what Qingyu cannot do without, then Qingyu, then an answer.
TIMED = """
from time import perf_counter as now
a = now()
import numpy, tokenizers
b = now()
import qingyu
c = now()
qingyu.load().fill_mask("今天天气真[MASK]啊，适合出去玩。")
d = now()
print(b - a, c - b, d - c)
"""


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder) / "venv"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        python = environment / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", str(ROOT)], check=True)

        (packages,) = environment.glob("lib/python*/site-packages")
        parts = {
            path.name: size(path)
            for path in packages.iterdir()
            if not path.name.startswith(INSTALLER)
        }
        print(f"site-packages: {sum(parts.values()) / 1e6:.1f} MB (without pip and setuptools)")
        largest = sorted(parts.items(), key=lambda part: part[1], reverse=True)
        for name, count in largest[:SHOWN]:
            print(f"  {count / 1e6:7.1f} MB  {name}")

        runs = [
            [float(word) for word in subprocess.check_output([python, "-c", TIMED]).split()]
            for _ in range(RUNS)
        ]
        base, own, answer = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"import numpy, tokenizers: {base:.3f} s; import qingyu after them: {own:.3f} s")
        print(f"load the default model and answer once: {answer:.3f} s (medians of {RUNS})")


if __name__ == "__main__":
    main()
