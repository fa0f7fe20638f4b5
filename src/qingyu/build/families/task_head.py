"""The head that a checkpoint was trained for: found by what it says and by what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from qingyu.build.heads import Classifier, Head, described_heads
from qingyu.build.notes import Note
from qingyu.build.parts import Linear
from qingyu.build.sources.config import Config
from qingyu.build.sources.weights import Weights
from qingyu.errors import CheckpointError

UNSERVED = {  # heads that are not served, and what they do
    "ForMultipleChoice": ("多项选择", "multiple choice"),
    "ForQuestionAnswering": ("抽取式问答", "extractive question answering"),
    "ForNextSentencePrediction": ("下一句预测", "next-sentence prediction"),
}
VECTORS_ZH = '只要句向量或填空的话，把 architectures 改为 ["BertModel"] 再构建。'
VECTORS_EN = 'For embeddings or blanks alone set architectures to ["BertModel"] and build again.'
TAGGER = '["BertForTokenClassification"]'


class HeadSource(Protocol):
    """What of a family is asked here; `prefix` is what the encoder's tensors begin with."""

    config: Config
    weights: Weights
    prefix: str

    def linear(self, name: str, outputs: int) -> Linear: ...

    def sequence_classifier(self) -> Classifier | None: ...


def task_head(encoder: HeadSource, fills: bool) -> Iterator[Head]:
    """The head that `architectures` and the labels tell of, if the checkpoint has one.

    fills: whether it fills masks, too

    Raises CheckpointError where they promise a head that is not there, or is not served.
    """
    config, weights = encoder.config, encoder.weights
    _refuse_unserved(encoder, fills)
    scheme, labels = config.tag_scheme, config.labels()
    if config.token_level or (scheme and not config.sequence_level):
        if "classifier.weight" in weights:
            write = Classifier(encoder.linear("classifier", len(labels)))
            yield Head("tags", "token-classification", scheme or labels, write)
        elif config.token_level:
            raise _headless(encoder, "classifier.weight")
        return
    sequence = encoder.sequence_classifier()
    if sequence is not None:
        yield Head("classification", "sequence-classification", labels, sequence, config.problem)
    elif "classifier.weight" in weights:
        raise _poolerless(encoder)
    elif config.sequence_level:
        raise _headless(encoder, "classifier")


def notes(config: Config, weights: Weights) -> Iterator[Note]:
    """What of the checkpoint's head is served otherwise than one may expect."""
    labels, scheme = config.labels(), config.tag_scheme
    crf = [name for name in weights.names if name.split(".")[0].lower() == "crf"]
    if crf:
        yield Note(
            f"CRF 层没有带上（{'、'.join(crf)}）：改按标签体系的规则取最可能的一串，"
            "结果可能略有不同。",
            f"the CRF is left out ({', '.join(crf)}): labels are the likeliest sequence that keeps "
            "to their scheme, so answers may differ a little.",
        )
    if scheme and scheme != labels:
        theirs, ours = next((a, b) for a, b in zip(labels, scheme, strict=True) if a != b)
        yield Note(
            f"标签统一了写法，如 {theirs} 读作 {ours}。",
            f"labels are read in one form, such as {theirs} as {ours}.",
        )


def _refuse_unserved(encoder: HeadSource, fills: bool) -> None:
    """Raises CheckpointError for a head that is not served, unless others come with it."""
    path, architecture = encoder.config.path, encoder.config.architecture
    for ending, (zh, en) in UNSERVED.items():
        if architecture.endswith(ending) and not fills and not described_heads(path.parent):
            raise CheckpointError(
                f"{path}：{architecture} 是{zh}模型，轻语不做这个任务。{VECTORS_ZH}",
                f"{path}: {architecture} does {en}, which Qingyu does not serve. {VECTORS_EN}",
            )


def _headless(encoder: HeadSource, missing: str) -> CheckpointError:
    path, architecture = encoder.config.path, encoder.config.architecture
    return CheckpointError(
        f"{path} 说这是 {architecture}，但权重中没有 {missing}：任务头没有保存，或没有训练过。"
        f"请换上训练后的权重。{VECTORS_ZH}",
        f"{path} says {architecture}, but the weights have no {missing}: the head was not saved, "
        f"or never trained. Take the trained weights. {VECTORS_EN}",
    )


def _poolerless(encoder: HeadSource) -> CheckpointError:
    path, pooler = encoder.config.path, f"{encoder.prefix}pooler.dense"
    return CheckpointError(
        f"{encoder.weights.path} 有 classifier.weight，但没有它前面的池化层（{pooler}），"
        f"做不了文本分类。若它是序列标注模型，请把 {path} 的 architectures 写成 {TAGGER}。",
        f"{encoder.weights.path} has classifier.weight but not the pooler before it ({pooler}), so "
        f"it classifies no texts. If it labels tokens, set architectures in {path} to {TAGGER}.",
    )
