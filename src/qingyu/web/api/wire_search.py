"""What /v1/search, /v1/indexes and /v1/heads are sent."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from qingyu.service.calls import Call
from qingyu.service.opened import MAX_NAME

from .wire import EachText, Strict, Text, Texts, each

MAX_ROWS = 10_000

Rows = Annotated[list[Text | dict[str, Any]], Field(min_length=1, max_length=MAX_ROWS)]
Taught = Annotated[list[Text], Field(min_length=1, max_length=MAX_ROWS, fail_fast=True)]


class SearchRequest(EachText):
    TASK: ClassVar[str] = "search"
    INPUTS: ClassVar[frozenset[str]] = frozenset({"model", "text", "index"})

    text: Text | Texts = Field(description="要查的文本 / texts to find", examples=["怎么退款"])
    index: Text = Field(description="索引的名字，见 /v1/indexes / name of an index")
    top_k: int = Field(default=5, ge=1, le=1000, description="给几条 / how many rows")
    rerank: bool = Field(
        default=True, description="用句对头重排 / compare the first with the text as pairs"
    )

    def calls(self) -> list[Call]:
        return [self.call(text, self.index) for text in each(self.text)]


class IndexRequest(Strict):
    """Rows to be searched: strings, or objects with all their columns."""

    rows: Rows = Field(
        description="行：字符串，或含各列的对象 / strings, or objects with columns",
        examples=[[{"问题": "怎么退款？", "答案": "在订单里点退款。"}]],
    )
    text: Text = Field(default="text", description="检索哪一列 / the column that is searched")
    model: str | None = Field(default=None, description="用哪个模型 / with which model")


class HeadRequest(Strict):
    """Texts with their labels, of which a head is to learn."""

    name: Text = Field(max_length=MAX_NAME, description="头的名字 / name of the head")
    texts: Taught = Field(description="文本 / texts", examples=[["退款三天没到", "怎么开发票"]])
    labels: Taught = Field(
        description="每条的标签 / the label of each", examples=[["退款", "发票"]]
    )
    names: bool = Field(
        default=True, description="标签的名字可否帮忙 / whether what labels are called may help"
    )
    add: bool = Field(
        default=False, description="在同名的头上再加这些行 / add the rows to the head of that name"
    )
    model: str | None = Field(default=None, description="在哪个模型上学 / on which model")
