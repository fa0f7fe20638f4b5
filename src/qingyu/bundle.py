"""A model on disk: a directory with a manifest, weights by name, graphs and a tokenizer.

    manifest.json            what this is: sizes, heads, plan, digests, accuracy, licence
    encoder.safetensors      weights of the embeddings and the shared layers
    head-<name>.safetensors  weights that one head alone uses
    encoder.onnx             tokens -> hidden states; encoder-<k>.onnx goes on from shared layer k
    layers-<name>.onnx       hidden states -> hidden states: layers that one head alone has
    head-<name>.onnx         hidden states -> logits, one small graph a head
    decoder.onnx             of an encoder-decoder: one step of writing; decoder-cross.onnx: what a
                             step reads of the source
    phrases.bin              a memory of phrases, where there is one
    tokenizer.json           as the `tokenizers` library writes it
    README.md                the model card; text for people, so it has no digest
    report.json              what the build measured on its machine; no digest either

`docs/bundle-format.md` is the whole of it. Bundles of format 1 have one `weights.bin`, whose
contents the graphs alone know. All in one folder because ONNX Runtime refuses weights outside the
folder of a graph, rightly.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from qingyu.errors import BundleError, ModelNotFoundError
from qingyu.plan import HeadPlan, Plan, read_head_plan, read_plan

FORMAT = 2
OLD_FORMAT = 1
MANIFEST = "manifest.json"
ENCODER = "encoder.onnx"
WEIGHTS = "encoder.safetensors"
OLD_WEIGHTS = "weights.bin"
TOKENIZER = "tokenizer.json"
PHRASES = "phrases.bin"
CROSS = "decoder-cross.onnx"
DECODER = "decoder.onnx"
CARD = "README.md"
REPORT = "report.json"
WEIGHED = (".onnx", ".bin", ".safetensors")  # files that answers are computed with
DEFAULT = "qingyu-small-zh"
EMBEDDED = Path(__file__).parent / "bundles"
FOLDER_VARIABLE = "QINGYU_MODELS"

HeadKind: TypeAlias = Literal[
    "masked-lm",
    "sequence-classification",
    "token-classification",
    "embedding",
    "detection",
    "correction",
    "text2text",
]
Problem: TypeAlias = Literal["single_label", "multi_label", "regression"]
Unit: TypeAlias = Literal["token", "character"]
Pooling: TypeAlias = Literal["mean", "cls", "max", "mean-sqrt-length", "last"]


@dataclass(frozen=True)
class Sizes:
    """The dimensions that decide what a model costs."""

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_positions: int
    parameters: int


@dataclass(frozen=True)
class HeadInfo:
    """A head: its graph, what its logits are, and the labels in their order.

    `unit` says what a token classifier labels: the tokenizer's tokens, or each character as a
    token of its own. `start_id` and `end_id` are the tokens that begin and end written text.
    `weights` is the file of the tensors that it, and heads that share its layers, alone use. It
    reads the rows after shared layer `branch`, counted from 1, or those of the encoder's end where
    that is None, through the graph `layers` of layers of its own, where there are any. `evidence`:
    what lies open in two texts is weighed beside its logits, as it was fitted for this head.
    """

    file: str
    kind: HeadKind
    labels: tuple[str, ...] = ()
    problem: Problem = "single_label"
    unit: Unit = "token"
    start_id: int = 0
    end_id: int = 0
    weights: str = ""
    branch: int | None = None
    layers: str = ""
    plan: HeadPlan | None = None
    evidence: bool = False


@dataclass(frozen=True)
class PhrasesInfo:
    """The file of the phrase memory, and the version of that file's layout."""

    file: str
    version: int


@dataclass(frozen=True)
class EmbeddingInfo:
    """How the hidden states of a text become its vector, where no head does: `pooling` over all its
    tokens, special ones included, and the tokens that are read at once, None for all that fit."""

    pooling: Pooling = "mean"
    max_tokens: int | None = None


@dataclass(frozen=True)
class FileInfo:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds; `path` and `digest` are of the file it came from.

    `simplified` says that the model knows simplified characters alone: texts in traditional ones
    are read by their simplified form.
    """

    name: str
    family: str
    precision: str
    sizes: Sizes
    heads: dict[str, HeadInfo]
    files: dict[str, FileInfo]
    plan: Plan | None = None
    phrases: PhrasesInfo | None = None
    embedding: EmbeddingInfo = EmbeddingInfo()
    simplified: bool = False
    accuracy: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    licence: str = ""
    created_by: str = ""
    format: int = FORMAT
    path: Path = field(default=Path(), compare=False)
    digest: str = field(default="", compare=False)

    @property
    def graphs(self) -> list[str]:
        """The files of its heads."""
        return [head.file for head in self.heads.values()]

    @property
    def named(self) -> set[str]:
        """Every file that it names: with a checksum, of a head, and the phrase memory's."""
        of_heads = {name for one in self.heads.values() for name in (one.weights, one.layers)}
        phrases = {self.phrases.file} if self.phrases else set()
        return {*self.files, *self.graphs, *phrases} | (of_heads - {""})

    @property
    def bytes(self) -> int:
        """Size on disk of all files but the manifest."""
        return sum(info.bytes for info in self.files.values())

    def branch(self, head: str) -> int:
        """After how many shared layers a head reads; "" reads the encoder's end."""
        end = self.sizes.num_layers
        branch = self.heads[head].branch if head else None
        return end if branch is None else branch

    @property
    def segments(self) -> dict[int, str]:
        """The graphs that the shared layers are cut into where heads branch off: after how many
        layers each ends, rising, and its file.
        """
        end = self.sizes.num_layers
        ends = sorted({end, *map(self.branch, self.heads)})
        starts = [0, *ends[:-1]]
        return {end: segment_file(start) for start, end in zip(starts, ends, strict=True)}


def head_weights(owner: str) -> str:
    """The file of the weights that the heads of one owner alone use."""
    return f"head-{owner}.safetensors"


def segment_file(start: int) -> str:
    """The graph of the shared layers from `start` on."""
    return f"encoder-{start}.onnx" if start else ENCODER


def write_manifest(manifest: Manifest, folder: Path) -> None:
    values = asdict(manifest)
    del values["path"], values["digest"]
    text = json.dumps(values, ensure_ascii=False, indent=1)
    partial = folder / f"{MANIFEST}.part"
    partial.write_text(text + "\n", "utf-8")
    partial.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """Raises BundleError where the manifest is missing, damaged or of another format."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
        values = json.loads(raw)
        if values["format"] not in (OLD_FORMAT, FORMAT):
            raise _error(
                folder,
                f"格式为 {values['format']}，本版本只读格式 {OLD_FORMAT} 和 {FORMAT}，请重新构建",
                f"is of format {values['format']}, this version reads {OLD_FORMAT} and {FORMAT}; "
                "build it again",
            )
        manifest = Manifest(
            name=str(values["name"]),
            family=str(values["family"]),
            precision=str(values["precision"]),
            sizes=Sizes(**values["sizes"]),
            heads={name: _head(head) for name, head in values["heads"].items()},
            files={name: FileInfo(**info) for name, info in values["files"].items()},
            plan=read_plan(values["plan"]) if values.get("plan") else None,
            embedding=EmbeddingInfo(**values.get("embedding", {})),
            simplified=bool(values.get("simplified", False)),
            phrases=PhrasesInfo(**values["phrases"]) if values.get("phrases") else None,
            accuracy=dict(values["accuracy"]),
            source=str(values["source"]),
            licence=str(values["licence"]),
            created_by=str(values["created_by"]),
            format=int(values["format"]),
            path=folder,
            digest=hashlib.sha256(raw).hexdigest(),
        )
        for name in sorted(manifest.named):  # nothing leads out of the folder
            if Path(name).name != name or name in {"", ".."} or "\\" in name:
                raise ValueError(f"{name!r} is no file's name")
        return manifest
    except OSError as error:
        raise _error(
            folder, f"缺少 {MANIFEST}，不是模型包", f"has no {MANIFEST}, so it is no bundle"
        ) from error
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise _error(
            folder, f"的 {MANIFEST} 已损坏：{error}", f"has a damaged {MANIFEST}: {error}"
        ) from error


def _head(values: dict[str, Any]) -> HeadInfo:
    plan = read_head_plan(values["plan"]) if values.get("plan") else None
    return HeadInfo(**{**values, "labels": tuple(values["labels"]), "plan": plan})


def file_info(path: Path) -> FileInfo:
    """Size and SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return FileInfo(path.stat().st_size, digest.hexdigest())


def verify(manifest: Manifest) -> None:
    """Raises BundleError at the first file that is missing, not what the manifest says, or used
    although the manifest says nothing of it."""
    used = {TOKENIZER, ENCODER, *manifest.named}
    used |= {path.name for ending in WEIGHED for path in manifest.path.glob(f"*{ending}")}
    for name in sorted(used - manifest.files.keys()):
        raise _error(
            manifest.path,
            f"的清单没有 {name} 的校验和，请重新获取或构建",
            f"has no checksum of {name} in its manifest; fetch or build it again",
        )
    for name, expected in manifest.files.items():
        path = manifest.path / name
        if not path.is_file():
            raise _error(manifest.path, f"缺少文件 {name}", f"lacks the file {name}")
        if path.stat().st_size != expected.bytes or file_info(path) != expected:
            raise _error(
                manifest.path,
                f"的 {name} 与清单的校验和不符，请重新获取或构建",
                f"has a {name} that differs from its checksum; fetch or build it again",
            )


def folders() -> list[Path]:
    """Where bundles are looked for by name: QINGYU_MODELS, then the package itself."""
    extra = os.environ.get(FOLDER_VARIABLE)
    return [Path(extra), EMBEDDED] if extra else [EMBEDDED]


def installed() -> Iterator[Path]:
    """Folders of all bundles that can be loaded by name, sorted within each place."""
    for place in folders():
        if place.is_dir():
            yield from sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))


def find(model: str | Path) -> Path:
    """The folder of a bundle, by name or by path.

    Raises ModelNotFoundError where there is none.
    """
    text = str(model)
    if Path(text).name == text:
        for place in folders():
            if (place / text / MANIFEST).is_file():
                return place / text
    if (Path(text) / MANIFEST).is_file():
        return Path(text)
    if (Path(text) / "config.json").is_file():
        raise ModelNotFoundError(
            f"{text} 是检查点，还不是模型包。请先构建：qingyu build {text} --out my-model",
            f"{text} is a checkpoint, not yet a bundle. Build it first: "
            f"qingyu build {text} --out my-model",
        )
    names = ", ".join(path.name for path in installed())
    raise ModelNotFoundError(
        f"找不到模型 {text}。可用的模型：{names}；也可以给出模型包的目录。",
        f"No model {text}. There are: {names}; or give the folder of a bundle.",
    )


def _error(folder: Path, zh: str, en: str) -> BundleError:
    return BundleError(f"模型包 {folder} {zh}。", f"The bundle {folder} {en}.")
