"""What is said of jobs over HTTP: what to do, and how far it is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from qingyu.jobs.records import JobRecord

from .wire import Strict


class JobRequest(Strict):
    """What to do with the file that is sent next."""

    task: str = Field(description="任务，如 fill-mask / task", examples=["fill-mask"])
    name: str = Field(
        min_length=1, max_length=255, description="文件名，后缀决定格式 / its ending is its format"
    )
    model: str | None = None
    column: str | None = Field(default=None, description="读哪一列 / column to read")
    pair: str | None = Field(default=None, description="句对的第二列 / second column, for pairs")
    options: dict[str, Any] = Field(
        default_factory=dict, description="任务的参数，同 /v1/<task> / as in /v1/<task>"
    )
    output: str | None = Field(
        default=None, max_length=16, description="输出的后缀，默认同输入 / ending of the output"
    )
    encoding: Literal["auto", "utf-8", "gb18030", "big5", "utf-16"] = "auto"
    header: bool = True
    header_row: int = Field(
        default=1, ge=1, le=1000, description="表头在第几行 / the row the table begins at"
    )
    sheet: str = Field(
        default="", max_length=255, description="哪张工作表 / sheet, by name or number"
    )
    quotes: bool = Field(
        default=False, description="TSV 中引号的含义同 CSV / TSV is quoted as CSV is"
    )

    @property
    def reading(self) -> dict[str, Any]:
        """How its file is read."""
        return {
            "encoding": self.encoding,
            "header": self.header,
            "header_row": self.header_row,
            "sheet": self.sheet,
            "quotes": self.quotes,
        }


class JobError(BaseModel):
    code: str
    message: str
    message_en: str


class JobResponse(BaseModel):
    id: str
    name: str
    task: str
    model: str
    output: str
    state: Literal["uploading", "queued", "running", "paused", "done", "failed", "cancelled"]
    created: float = Field(description="秒，自 1970 年 / seconds since 1970")
    updated: float
    rows: int = Field(description="已处理的行，含坏行 / rows done, bad ones included")
    failed: int = Field(description="坏行 / bad rows")
    progress: float = Field(description="0 到 1，按输入的字节 / share of the input read")
    rows_per_second: float | None
    seconds_left: float | None
    error: JobError | None = Field(description="失败的原因 / why it failed")


class JobsResponse(BaseModel):
    jobs: list[JobResponse]
    next: str | None = Field(
        description="更早任务的下一页的 after / `after` of the next page, if any"
    )
    enabled: bool = Field(
        default=True, description="服务是否接受任务 / whether the service takes jobs"
    )


def told_of(job: JobRecord) -> JobResponse:
    share = job.read_bytes / job.total_bytes if job.total_bytes else 0.0
    working = job.state == "running" and share > 0
    return JobResponse(
        id=job.id,
        name=job.name,
        task=job.task,
        model=job.model,
        output=job.output,
        state=job.state,  # type: ignore[arg-type]  # the store holds no other
        created=job.created,
        updated=job.updated,
        rows=job.rows,
        failed=job.failed,
        progress=1.0 if job.state == "done" else min(1.0, share),
        rows_per_second=job.rows / job.seconds if job.seconds else None,
        seconds_left=job.seconds * (1 - share) / share if working else None,
        error=None if job.error is None else JobError(**job.error),
    )
