"""What a peer makes of a checkpoint before it runs: once a checkpoint, under .cache/peers/made."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from bench.peers.environments import CACHE, problem, python

HERE = Path(__file__).parent
ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
# Where the maker of a peer's files lives; a peer that is not here reads the checkpoint itself.
MAKERS = {
    "qingyu": "make_qingyu",
    "onnx_runtime": "make_onnx",
    "openvino": "make_onnx",
    "ctranslate2": "make_ctranslate2",
    "fastembed": "make_onnx",
}
# Variants that differ only in how the same files are run, or are made by another's maker.
SAME = {
    "openvino:bf16": "openvino:fp32",
    "openvino:dynamic": "openvino:weights",
    "fastembed:fp32": "onnx_runtime:embed",
}
# What is made of another's files and not of the checkpoint alone.
BASE = {
    "onnx_runtime:int8": "onnx_runtime:fp32",
    "onnx_runtime:fused": "onnx_runtime:fp32",
    "onnx_runtime:fused_int8": "onnx_runtime:fused",
    "openvino:fp32": "onnx_runtime:fp32",
    "openvino:weights": "onnx_runtime:fp32",
    "openvino:int8": "onnx_runtime:fp32",
}


class MakingError(Exception):
    """A peer's files could not be made; the text is what its maker said."""


def files(checkpoint: Path, name: str) -> Path:
    """The folder that peer `name` ("engine:variant") loads, made if it is not there.

    Qingyu's is made anew each time: its builder is what changes here. Raises MakingError.
    """
    name = SAME.get(name, name)
    engine, variant = name.split(":")
    if engine not in MAKERS:
        return checkpoint
    folder = CACHE / "made" / key(checkpoint) / name.replace(":", "-")
    if engine == "qingyu":
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        make(checkpoint, engine, variant, folder)
    return folder / "bundle" if engine == "qingyu" else folder


def make(checkpoint: Path, engine: str, variant: str, folder: Path) -> None:
    home = MAKERS[engine]
    if reason := problem(home):
        raise MakingError(f"{home}: {reason}")
    aside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    command = [str(python(home)), "-m", f"makers.{engine}", str(checkpoint), variant, str(aside)]
    if base := BASE.get(f"{engine}:{variant}"):
        command.append(str(files(checkpoint, base)))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, check=False, env=environment
    )
    if run.returncode:
        shutil.rmtree(aside)
        raise MakingError(last_words(run.stderr))
    aside.rename(folder)


def last_words(text: str) -> str:
    """The line of a traceback that names the error, else the last one."""
    lines = text.strip().splitlines() or ["it ended without a word"]
    return next((line for line in reversed(lines) if ERROR.match(line)), lines[-1])


def key(checkpoint: Path) -> str:
    """A checkpoint's name with a mark of its weights, so that a new one is not mistaken for it."""
    found = (checkpoint / "model.safetensors").stat()
    mark = hashlib.sha256(f"{found.st_size} {found.st_mtime_ns}".encode()).hexdigest()[:8]
    return f"{checkpoint.name}-{mark}"
