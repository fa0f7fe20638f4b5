"""Where a checkpoint is: a path, a name on a hub, or what people write instead of these."""

from __future__ import annotations

import re
from pathlib import Path

from qingyu.build.sources.hub import fetch
from qingyu.errors import CheckpointError

ADDRESS = re.compile(r"https?://([^/]+)/(?:models/)?([\w.-]+/[\w.-]+)(?:/.*)?")
HUBS = {"huggingface.co": "hf", "hf-mirror.com": "hf", "modelscope.cn": "modelscope"}
NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
# Owners of names that are known without one.
OWNERS = {
    "bert-base-chinese": "google-bert",
    "bert-base-multilingual-cased": "google-bert",
    "bert-base-multilingual-uncased": "google-bert",
    "distilbert-base-multilingual-cased": "distilbert",
    "xlm-roberta-base": "FacebookAI",
    "xlm-roberta-large": "FacebookAI",
}


def located(source: str) -> Path:
    """The path of `source`, fetched first where it names a hub.

    Raises CheckpointError where nothing is there, and says what was probably meant; what `fetch`
    raises otherwise.
    """
    path = fetch(source) or Path(source)
    if path.exists():
        return path
    address = ADDRESS.fullmatch(source)
    if address:
        hub = HUBS.get(address[1].removeprefix("www."), "hf")
        meant = f"{hub}:{address[2]}"
        raise CheckpointError(
            f"这里不收网址。请写仓库的名字：qingyu build {meant}",
            f"An address is not taken here; name the repository: qingyu build {meant}",
        )
    if "://" in source:
        raise CheckpointError(
            f"这里不收网址：{source}。请先下载，再给出目录或文件。",
            f"An address is not taken here: {source}. Download it, then give its folder or file.",
        )
    if NAME.fullmatch(source):
        owner = OWNERS.get(source, "owner")
        meant = source if "/" in source else f"{owner}/{source}"
        raise CheckpointError(
            f"没有目录或文件 {source}。若指 Hugging Face 上的模型：qingyu build hf:{meant}"
            f"（ModelScope 上的写 modelscope:{meant}）",
            f"There is no folder or file {source}. For a model on Hugging Face: "
            f"qingyu build hf:{meant} (on ModelScope: modelscope:{meant})",
        )
    raise CheckpointError(f"没有目录或文件 {source}。", f"There is no folder or file {source}.")
