"""One virtual environment a peer, under .cache/peers; one that cannot be made is said so.

python bench/peers/environments.py [PEER ...]
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "peers"

# torch is pinned because other versions bring the CUDA libraries with them.
TORCH = ["torch==2.13.0", "transformers>=5,<6", "safetensors"]
NEEDS = {
    "qingyu": ["-e", f"{ROOT}[build]"],
    "hugging_face": TORCH,
    "onnx_runtime": [*TORCH, "onnx", "onnxruntime", "tokenizers", "numpy"],
    "openvino": ["openvino", "nncf", "tokenizers", "numpy", "onnx"],
    # Its converter reads settings that transformers 5 no longer has.
    "ctranslate2": [TORCH[0], "transformers>=4.50,<5", "safetensors", "ctranslate2"],
}


def python(peer: str) -> Path:
    return CACHE / peer / "bin" / "python"


def make(peer: str) -> str:
    """Make the environment of a peer; "" when done, or the last line of what went wrong."""
    if python(peer).exists() and (CACHE / peer / ".done").exists():
        return ""
    subprocess.run([sys.executable, "-m", "venv", CACHE / peer], check=True)
    # One at a time, so that a pinned torch is there before anything that wants one.
    groups = [NEEDS[peer]] if peer == "qingyu" else [[need] for need in NEEDS[peer]]
    for group in groups:
        command = [python(peer), "-m", "pip", "install", "--quiet", *group]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    (CACHE / peer / ".done").touch()
    return ""


def main() -> None:
    for peer in sys.argv[1:] or NEEDS:
        problem = make(peer)
        print(f"{peer}: {problem or 'ready'}", flush=True)


if __name__ == "__main__":
    main()
