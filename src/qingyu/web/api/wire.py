"""Request types, one a task, validated before anything is computed.

A task that is served has a request type here. What it answers is described by its own
result type, so that HTTP and Python show the same fields.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from qingyu.errors import InputError
from qingyu.results import Aggregation, LongPair, LongText, Method, Truncate
from qingyu.service.calls import Call
from qingyu.tasks.fill_mask import MAX_ALTERNATIVES
from qingyu.tasks.parts.blanks import MASK
from qingyu.tasks.text2text import MAX_BEAMS, MAX_NEW_TOKENS
from qingyu.tasks.zero_shot import SEPARATORS, TEMPLATE, label_sets

MAX_LABELS = 200
MAX_MEMORIES = 8
MAX_WORDS = 10_000
# Fields that name what the service keeps; tasks know nothing of them.
NAMING = frozenset({"phrases", "keep_lists"})

# Said in the description; it is the task that refuses an empty one, with an error of its own.
Text = Annotated[str, Field(json_schema_extra={"minLength": 1})]
# The first wrong one of a list is told, not all.
Words = Annotated[list[Text], Field(min_length=1, max_length=MAX_WORDS, fail_fast=True)]
Texts = Annotated[list[Text], Field(min_length=1, fail_fast=True)]
Spelling = Annotated[str, Field(max_length=32, json_schema_extra={"minLength": 1})]
Head = Annotated[Text | None, Field(description="用哪个头，默认第一个合适的 / which head")]
LongTextField = Annotated[
    LongText,
    Field(description="过长时：分窗读、截断或报错 / a text too long: windows, cut, or refuse"),
]
LongPairField = Annotated[
    LongPair, Field(description="过长时：截断或报错 / a pair too long: cut, or refuse")
]


class Strict(BaseModel):
    """No type conversions; rejects unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class TaskRequest(Strict):
    """Base of all requests: which task, which model, and the calls it stands for."""

    TASK: ClassVar[str]
    ALSO: ClassVar[tuple[str, ...]] = ()  # other tasks that it may mean
    # Fields that are not parameters of the task.
    INPUTS: ClassVar[frozenset[str]] = frozenset({"model", "text"})

    model: str | None = Field(
        default=None, description="模型名，默认为服务的默认模型 / name of the model"
    )

    def calls(self) -> list[Call]:
        """One call for each result."""
        raise NotImplementedError

    @cached_property
    def parameters(self) -> tuple[tuple[str, Hashable], ...]:
        """All fields but the inputs; one object for all calls, however many words it holds."""
        inputs = self.INPUTS | {"phrases"}
        return tuple(
            (name, fixed(value))
            for name, value in self
            if name not in inputs and (value or name != "keep_lists")  # a task has no such thing
        )

    def call(self, *inputs: Hashable, task: str = "") -> Call:
        """The task on one input, with all other fields as its parameters."""
        named = tuple(getattr(self, "phrases", ()))
        return Call(task or self.TASK, inputs, self.parameters, named)


class WithPhrases(TaskRequest):
    """A task about words, which memories of phrases know something of."""

    phrases: list[Text] = Field(
        default=[],
        max_length=MAX_MEMORIES,
        fail_fast=True,
        description="再用这些短语记忆，见 /v1/phrases / memories of phrases to use too, by name",
    )


class EachText(TaskRequest):
    """A task that takes one text; of several, one after the other."""

    text: Text | Texts = Field(description="文本，或文本列表 / a text, or a list of texts")

    def calls(self) -> list[Call]:
        return [self.call(text) for text in each(self.text)]


def each(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


def fixed(value: Any) -> Hashable:
    """Lists and dictionaries as tuples, so that a call can be a key."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return tuple(value.items())
    return value  # type: ignore[no-any-return]


class FillMaskRequest(WithPhrases, EachText):
    TASK: ClassVar[str] = "fill-mask"

    text: Text | Texts = Field(
        description="带 [MASK] 的文本，或文本列表 / text with [MASK], or a list of texts",
        examples=["今天天气真[MASK]啊，适合出去玩。"],
    )
    top_k: int = Field(
        default=5, ge=1, le=100, description="每个空的候选数 / candidates for each mask"
    )
    truncate: Truncate = Field(
        default="around-mask",
        description="文本过长时截取还是报错 / window or refuse a text too long",
    )
    targets: Text | Words | None = Field(
        default=None, description="只在这些词中选 / only these words, of any length"
    )
    alternatives: int = Field(
        default=0,
        ge=0,
        le=MAX_ALTERNATIVES,
        description="整句的几种填法 / fillings of all masks together",
    )
    # A lexicon's pattern is not for clients: a regular expression can be made to run for ever.
    lexicon: Words | None = Field(
        default=None,
        description="词表，相连的空合填一词 / words; masks side by side become one of them",
    )
    mask: Spelling | Annotated[list[Spelling], Field(max_length=8, fail_fast=True)] = Field(
        default=MASK, description="空的其他写法，如 ___、（ ）、□ / other ways to write a mask"
    )


class ScoreRequest(WithPhrases, EachText):
    TASK: ClassVar[str] = "score"

    text: Text | Texts = Field(
        description="要打分的文本 / texts to score", examples=["今天天气真好。"]
    )


LabelList = Annotated[list[Text], Field(min_length=1, max_length=MAX_LABELS, fail_fast=True)]
LabelWords = Annotated[dict[Text, Text], Field(min_length=1, max_length=MAX_LABELS)]
Sets = Field(min_length=1, fail_fast=True)


class ZeroShotRequest(WithPhrases, EachText):
    TASK: ClassVar[str] = "zero-shot-classification"
    INPUTS: ClassVar[frozenset[str]] = frozenset({"model", "text", "candidate_labels"})

    text: Text | Texts = Field(
        description="文本 / texts", examples=["这家店的面很好吃，服务也周到。"]
    )
    candidate_labels: (
        Text | LabelList | LabelWords | Annotated[list[LabelList | LabelWords], Sets]
    ) = Field(
        description="标签，或标签到描述；几组标签对应几段文本 / labels, or a description for each; "
        "or a list with a set for each text",
        examples=[["美食", "体育", "科技"]],
    )
    hypothesis_template: (
        Text | Annotated[list[Text], Field(min_length=1, max_length=8, fail_fast=True)]
    ) = Field(default=TEMPLATE, description="含 {} 的句子 / a sentence with {} in it")
    multi_label: bool = Field(default=False, description="每个标签各自判断 / each label by itself")
    method: Method = Field(
        default="entailment",
        description="逐标签推理、一遍填空，或两者合一 / an inference a label, one cloze, or both",
    )
    truncate: LongTextField = "windows"
    head: Head = None
    uncertain: bool = Field(
        default=False, description="没把握时标签为“不确定” / say so where it is not sure"
    )

    def calls(self) -> list[Call]:
        texts = each(self.text)
        labels = self.candidate_labels
        if isinstance(labels, str) and len(re.findall(SEPARATORS, labels)) >= MAX_LABELS:
            raise InputError(
                f"candidate_labels 最多 {MAX_LABELS} 个标签。",
                f"candidate_labels has at most {MAX_LABELS} labels.",
            )
        sets = label_sets(labels, len(texts))
        known = {id(one): fixed(one) for one in sets}  # one object for one set
        return [self.call(text, known[id(one)]) for text, one in zip(texts, sets, strict=True)]


class ClassificationRequest(TaskRequest):
    TASK: ClassVar[str] = "text-classification"
    INPUTS: ClassVar[frozenset[str]] = frozenset({"model", "text", "text_pair"})

    text: Text | Texts = Field(description="文本 / texts", examples=["这家店的面很好吃。"])
    text_pair: Text | Texts | None = Field(
        default=None, description="每条的第二句，用于句对分类 / second texts, for pairs"
    )
    head: Head = None
    top_k: int | None = Field(
        default=None, ge=1, le=1000, description="返回几个标签，默认全部 / how many labels"
    )
    truncate: LongTextField = "windows"
    uncertain: bool = Field(
        default=False, description="没把握时标签为“不确定” / say so where it is not sure"
    )

    def calls(self) -> list[Call]:
        if self.text_pair is None:
            return [self.call(text) for text in each(self.text)]
        return [self.call(*pair) for pair in pairs(self.text, self.text_pair)]


class SimilarityRequest(TaskRequest):
    """Two texts, or two lists of one length; or a query against texts."""

    TASK: ClassVar[str] = "sentence-similarity"
    ALSO: ClassVar[tuple[str, ...]] = ("sentence-ranking",)
    INPUTS: ClassVar[frozenset[str]] = frozenset(
        {"model", "text", "text_pair", "query", "texts", "top_k"}
    )

    text: Text | Texts | None = Field(
        default=None, description="第一句 / first text", examples=["怎么退款？"]
    )
    text_pair: Text | Texts | None = Field(
        default=None, description="第二句 / second text", examples=["退款的流程是什么？"]
    )
    query: Text | None = Field(default=None, description="或：一句 / or: one text")
    texts: Texts | None = Field(default=None, description="与这些相比 / against these")
    top_k: int | None = Field(
        default=None, ge=1, le=10_000, description="只要最像的几条 / only the most similar"
    )
    head: Head = None
    truncate: LongPairField = "end"

    @model_validator(mode="after")
    def _one_form(self) -> SimilarityRequest:
        pair = self.text is not None and self.text_pair is not None
        ranking = self.query is not None and self.texts is not None
        given = sum(v is not None for v in (self.text, self.text_pair, self.query, self.texts))
        if given != 2 or not (pair or ranking):
            raise ValueError(
                "请给出 text 和 text_pair，或者 query 和 texts / "
                "send text and text_pair, or query and texts"
            )
        return self

    def calls(self) -> list[Call]:
        if self.query is not None and self.texts is not None:
            call = self.call(self.query, tuple(self.texts), task=self.ALSO[0])
            top_k = () if self.top_k is None else (("top_k", self.top_k),)
            return [Call(call.task, call.inputs, (*call.parameters, *top_k))]
        return [self.call(*pair) for pair in pairs(self.text or [], self.text_pair or [])]


def pairs(first: str | list[str], second: str | list[str]) -> list[tuple[str, str]]:
    """Raises InputError where the two are not of one kind and length."""
    if isinstance(first, str) != isinstance(second, str) or (
        isinstance(first, list) and len(first) != len(second)
    ):
        raise InputError(
            "text 与 text_pair 应同为字符串，或为等长的列表。",
            "text and text_pair should both be strings, or lists of one length.",
        )
    return list(zip(each(first), each(second), strict=True))


class TokensRequest(EachText):
    TASK: ClassVar[str] = "token-classification"

    text: Text | Texts = Field(description="文本 / texts", examples=["王小明在北京大学读书。"])
    aggregation_strategy: Aggregation | None = Field(
        default=None,
        description="如何合并词元，默认随头 / how tokens are joined; by the head",
    )
    head: Head = None
    gazetteer: Annotated[dict[Text, Text], Field(max_length=MAX_WORDS)] | None = Field(
        default=None, description="自己的名称与标签 / names of one's own, with their labels"
    )


class EmbeddingsRequest(EachText):
    TASK: ClassVar[str] = "feature-extraction"

    text: Text | Texts = Field(description="文本 / texts", examples=["今天天气真好。"])
    normalize: bool = Field(default=True, description="长度归一 / scaled to length 1")
    truncate: LongTextField = "windows"


class Text2TextRequest(EachText):
    TASK: ClassVar[str] = "text2text-generation"

    text: Text | Texts = Field(
        description="文本 / texts", examples=["今天天气真<extra_id_0>啊，适合出去玩。"]
    )
    max_new_tokens: int = Field(
        default=64, ge=1, le=MAX_NEW_TOKENS, description="最多写多少词元 / tokens to write at most"
    )
    num_beams: int = Field(default=1, ge=1, le=MAX_BEAMS, description="束宽 / beams")
    length_penalty: float = Field(
        default=1.0,
        ge=-10,
        le=10,
        allow_inf_nan=False,
        description="大于 0 偏好长文本 / above 0 favours longer texts",
    )
    truncate: Literal["end", "error"] = Field(
        default="end", description="过长时：截断或报错 / a text too long: cut, or refuse"
    )


REQUESTS: tuple[type[TaskRequest], ...] = (
    FillMaskRequest, ScoreRequest, ZeroShotRequest, ClassificationRequest,
    SimilarityRequest, TokensRequest, Text2TextRequest, EmbeddingsRequest,
)  # fmt: skip
