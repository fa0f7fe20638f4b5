"""One virtual environment a peer, under .cache/peers; one that cannot be made is said so.

    python -m bench.peers.environments [NAME ...]

What a peer runs in holds only what it needs to run; exporting and converting have environments of
their own, so that sizes on disk are what a user's machine would carry.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "peers"
INSTALLER = ("pip", "setuptools", "wheel", "_distutils_hack", "pkg_resources")

# torch is pinned because other versions bring the CUDA libraries with them.
TORCH = "torch==2.13.0"
RUNNING = {
    "qingyu": ["-e", str(ROOT)],
    "hugging_face": [TORCH, "transformers>=5,<6", "safetensors"],
    "onnx_runtime": ["onnxruntime", "tokenizers", "numpy"],
    "openvino": ["openvino", "tokenizers", "numpy"],
    "ctranslate2": ["ctranslate2", "safetensors", "tokenizers", "numpy"],
    "infinity": [TORCH, "infinity-emb[torch,optimum]"],
    "fastembed": ["fastembed"],
}
MAKING = {
    "make_qingyu": ["-e", f"{ROOT}[build]"],
    "make_onnx": [TORCH, "transformers>=5,<6", "onnx", "onnxruntime", "openvino", "nncf"],
    # Its converter reads settings that transformers 5 no longer has.
    "make_ctranslate2": [TORCH, "transformers>=4.50,<5", "safetensors", "ctranslate2"],
}
NEEDS = RUNNING | MAKING


def python(name: str) -> Path:
    return CACHE / name / "bin" / "python"


def problem(name: str) -> str:
    """Why an environment cannot be used, or ""."""
    done = CACHE / name / ".done"
    if not done.exists():
        return "no environment; run environments.py"
    return done.read_text().strip()


def make(name: str) -> str:
    """Make an environment; "" when done, or the last line of what went wrong."""
    done = CACHE / name / ".done"
    if problem(name):
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE / name], check=True)
        done.write_text(install(name))
    return problem(name)


def install(name: str) -> str:
    needs = NEEDS[name]
    # One at a time, so that a pinned torch is there before anything that wants one.
    groups = [[TORCH], needs] if TORCH in needs else [needs]
    for group in groups:
        command = [str(python(name)), "-m", "pip", "install", "--quiet", *group]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            errors = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
            return (errors or ["pip failed"])[0]
    return ""


def installed_bytes(name: str) -> int:
    """What an environment's packages weigh, without pip, as after a first run; Qingyu's own files,
    which are installed as a link here, with them."""
    (packages,) = (CACHE / name).glob("lib/python*/site-packages")
    folders = [one for one in packages.iterdir() if not one.name.startswith(INSTALLER)]
    if name == "qingyu":
        folders.append(ROOT / "src" / "qingyu")
    return sum(folder_bytes(one) for one in folders)


def versions(name: str) -> dict[str, str]:
    """Versions of the packages an environment was made for."""
    (packages,) = (CACHE / name).glob("lib/python*/site-packages")
    asked = {re.split(r"[\[<>=]", need)[0].replace("-", "_") for need in NEEDS[name]}
    asked |= {"qingyu", "onnxruntime"} if name == "qingyu" else set()
    found = (folder.name[: -len(".dist-info")] for folder in packages.glob("*.dist-info"))
    pairs = dict(one.rsplit("-", 1) for one in sorted(found))
    return {package: pairs[package] for package in sorted(asked & set(pairs))}


def folder_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())


def main() -> None:
    for name in sys.argv[1:] or NEEDS:
        print(f"{name}: {make(name) or 'ready'}", flush=True)


if __name__ == "__main__":
    main()
