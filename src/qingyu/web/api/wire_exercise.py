"""The request for exercises."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from qingyu.results import BlankKind, Difficulty
from qingyu.tasks.exercises.exercise import KINDS, MAX_BLANKS, MAX_CHOICES

from .wire import EachText, Text, Texts, WithPhrases

MAX_OWN = 200


class ExerciseRequest(WithPhrases, EachText):
    TASK: ClassVar[str] = "exercise"

    text: Text | Texts = Field(
        description="课文，或每行一个成语、诗句 / a text, or idioms and verses a line each",
        examples=["我家门口有一棵大树。"],
    )
    kinds: Annotated[list[BlankKind], Field(max_length=5)] = Field(
        default=list(KINDS), description="挖什么词 / what to blank"
    )
    blanks: int = Field(default=10, ge=1, le=MAX_BLANKS, description="最多几个空 / at most so many")
    choices: int = Field(
        default=4,
        ge=1,
        le=MAX_CHOICES,
        description="每空几个选项，1 为不给选项 / words to choose from; 1: none",
    )
    difficulty: Difficulty = Field(
        default="any", description="难度，看模型觉得答案多容易 / by the model's probability"
    )
    words: list[Text] = Field(
        default=[],
        max_length=MAX_OWN,
        fail_fast=True,
        description="自己要考的词 / words of one's own to blank",
        examples=[["苹果", "香蕉", "西瓜"]],
    )
