"""Checkpoints by name: `hf:owner/name` and `modelscope:owner/name`, `@revision` behind.

Their own client libraries fetch, resume and cache; HF_ENDPOINT names a mirror, HF_HUB_OFFLINE=1
keeps to the cache. Only files that are read here are fetched, never code. What the hub says the
SHA-256 of a large file is, it must be.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from qingyu.errors import BuildError, CheckpointError

FILES = (
    "config.json",
    "heads.json",
    "configuration.json",
    "label_mapping.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "*/config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",
)
PICKLES = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
NAME = re.compile(r"(hf|modelscope):([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
OFFLINE = "HF_HUB_OFFLINE"


def fetch(source: str) -> Path | None:
    """The local folder of what `source` names, or None where it names no hub.

    Raises BuildError where a client library is missing or fetching fails, CheckpointError where
    a file is not what the hub says.
    """
    match = NAME.fullmatch(source)
    if match is None:
        if source.startswith(("hf:", "modelscope:")):
            raise BuildError(
                f"{source} 应如 hf:owner/name 或 hf:owner/name@版本。",
                f"{source} should be like hf:owner/name or hf:owner/name@revision.",
            )
        return None
    hub, name, revision = match.groups()
    take = _from_hugging_face if hub == "hf" else _from_modelscope
    try:
        return take(name, revision)
    except (BuildError, CheckpointError):
        raise
    except Exception as error:  # each client raises errors of its own
        what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BuildError(
            f"无法取得 {source}：{what}。可设置 HF_ENDPOINT 使用镜像，或先下载到本地目录。",
            f"Cannot fetch {source}: {what}. Set HF_ENDPOINT to use a mirror, or give a local "
            "folder.",
        ) from error


def _from_hugging_face(name: str, revision: str | None) -> Path:
    client = _client("huggingface_hub", "huggingface_hub")
    options: dict[str, Any] = {"repo_id": name, "revision": revision}
    endpoint = os.environ.get("HF_ENDPOINT")
    offline = os.environ.get(OFFLINE, "").lower() in ("1", "true", "yes", "on")
    if endpoint:
        options["endpoint"] = endpoint
    sums: dict[str, str] = {}
    patterns = [*FILES, *PICKLES]
    if not offline:
        api = client.HfApi(endpoint=endpoint)
        info = api.model_info(name, revision=revision, files_metadata=True)
        options["revision"] = info.sha or revision  # all files of one commit
        names = [file.rfilename for file in info.siblings]
        if any(file.endswith(".safetensors") for file in names):
            patterns = list(FILES)
        sums = {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs}
    folder = Path(
        client.snapshot_download(allow_patterns=patterns, local_files_only=offline, **options)
    )
    for file, digest in sums.items():
        if (folder / file).is_file():
            _check(folder / file, digest)
    return folder


def _from_modelscope(name: str, revision: str | None) -> Path:
    client = _client("modelscope", "modelscope")
    options: dict[str, Any] = {"revision": revision} if revision else {}
    patterns = [*FILES, *PICKLES]
    return Path(client.snapshot_download(name, allow_file_pattern=patterns, **options))


def _client(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise BuildError(
            f"需要 {package}，请运行：pip install {package}",
            f"{package} is needed; run: pip install {package}",
        ) from error


def _check(path: Path, digest: str) -> None:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            hashed.update(piece)
    if hashed.hexdigest() != digest:
        raise CheckpointError(
            f"{path} 与仓库给出的 SHA-256 不符，请删除后重新下载。",
            f"{path} differs from the SHA-256 that the hub gives; delete it and fetch it again.",
        )
