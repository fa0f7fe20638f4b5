"""The request of proofreading."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from qingyu.tasks.check import THRESHOLD

from .wire import MAX_MEMORIES, EachText, Text, Texts, WithPhrases

MAX_KEPT = 10_000


class CheckRequest(WithPhrases, EachText):
    TASK: ClassVar[str] = "check"

    text: Text | Texts = Field(
        description="要检查的文本 / texts to check", examples=["今天天汽真好。"]
    )
    top_k: int = Field(default=5, ge=1, le=100, description="每处的候选数 / candidates each")
    threshold: float = Field(
        default=THRESHOLD,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="把握多大才改（0 到 1），不到的只作提示 / confidence from which a suspect is"
        " changed; others are hints",
    )
    keep: list[Text] = Field(
        default=[],
        max_length=MAX_KEPT,
        fail_fast=True,
        description="不查的词 / words never suspected",
        examples=[["轻语"]],
    )
    keep_lists: list[Text] = Field(
        default=[],
        max_length=MAX_MEMORIES,
        fail_fast=True,
        description="这些词表里的词也不查，见 /v1/words / word lists to keep too, by name",
    )
    check_punctuation: bool = Field(default=False, description="也查标点 / punctuation too")
