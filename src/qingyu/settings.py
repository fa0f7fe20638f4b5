"""Settings of the service: from the environment (`QINGYU_...`) or given by name.

Nothing is read at import; `Settings()` reads the environment when it is made.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from qingyu import bundle
from qingyu.errors import SettingsError

Names = Annotated[tuple[str, ...], NoDecode]
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s]+", re.IGNORECASE)


KEPT = ("phrases", "words", "heads", "indexes", "jobs")  # folders of `data`


class Settings(BaseSettings):
    """Raises SettingsError when a value is wrong, naming each."""

    model_config = SettingsConfigDict(env_prefix="QINGYU_", frozen=True, extra="forbid")

    # where
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 for a free one")
    allow_open: bool = Field(
        False, description="listen beyond this machine although no API key is set"
    )

    # models
    model: str = Field(bundle.DEFAULT, description="default model: a name, or a bundle's folder")
    models: Path | None = Field(None, description="folder of bundles, beside those in the package")
    pin: Names = Field((), description="models never unloaded, comma separated")
    memory_budget: ByteSize | None = Field(None, description="memory for models, such as 1GB")

    # what is kept here
    data: Path | None = Field(
        None,
        description="folder for all that is kept here: phrases, words, heads, indexes and jobs, "
        "each in a folder of that name unless it has its own setting",
    )
    phrases: Path | None = Field(None, description="folder of phrase memories; none: no memories")
    max_phrases: ByteSize = Field(ByteSize(32 << 20), description="bytes of one phrase memory")

    words: Path | None = Field(None, description="folder of word lists never suspected; none: none")
    heads: Path | None = Field(None, description="folder of taught heads; none: none are kept")
    indexes: Path | None = Field(None, description="folder of search indexes; none: no search")

    # computing
    threads: int | None = Field(
        None, ge=1, description="CPU threads of a batch; default: 1, and as many lanes as CPUs"
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="where to compute; auto is a GPU where one can run the model"
    )
    gpu_memory: ByteSize | None = Field(
        None, description="memory of the GPU for each model, such as 1GB; the rest runs on the CPU"
    )
    lanes: int | None = Field(
        None, ge=1, le=64, description="batches computed at the same time; default: see threads"
    )
    workers: int = Field(1, ge=1, le=256, description="processes")
    max_batch_tokens: int = Field(
        128, ge=1, description="tokens of a batch; more make none cheaper, and others wait longer"
    )
    max_queue_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens let in and not yet answered beyond which to refuse; default: 768, or "
        "three batches a lane where that is more",
    )
    max_request_tokens: int = Field(
        1 << 21, ge=1, description="tokens that one request may cost, told from sizes alone"
    )
    max_answer: ByteSize = Field(
        ByteSize(32 << 20), description="bytes that the answer to one request may take"
    )
    timeout: float = Field(30.0, gt=0, description="seconds until a request is given up")
    cache: ByteSize = Field(ByteSize(4 << 20), description="memory for answers; 0 is off")

    # what clients may send
    max_body: ByteSize = Field(ByteSize(1 << 20), description="bytes of a request's body")
    max_document: ByteSize = Field(
        ByteSize(16 << 20), description="bytes of a document to check, pictures and all"
    )
    max_characters: int = Field(20_000, ge=1, description="characters of one text")
    max_texts: int = Field(256, ge=1, description="texts of one request")
    body_timeout: float = Field(10.0, gt=0, description="seconds for a request to arrive")
    write_timeout: float = Field(
        30.0, gt=0, description="seconds for which a client may take nothing of its answer"
    )
    max_connections: int = Field(2048, ge=1)

    # jobs: files answered in the background
    jobs: Path | None = Field(None, description="folder for jobs' files; none: no jobs")
    max_upload: ByteSize = Field(ByteSize(1 << 30), description="bytes of a job's file")
    max_jobs: int = Field(8, ge=1, description="unfinished jobs of each API key")
    max_kept_jobs: int = Field(
        100, ge=1, description="jobs kept of each API key, ended ones included"
    )
    max_job_bytes: ByteSize = Field(
        ByteSize(4 << 30), description="bytes of all files of the jobs of each API key"
    )
    job_days: float = Field(7.0, gt=0, description="days until an ended job is removed")

    # who
    api_keys: Names = Field((), description="NAME:SHA256 of each key, comma separated")
    api_keys_file: Path | None = Field(None, description="file with one NAME:SHA256 a line")
    key_tokens_per_minute: int | None = Field(None, ge=1, description="of each API key")
    cors_origins: Names = Field((), description="origins whose pages may call, comma separated")
    allowed_hosts: Names = Field(
        (),
        description="names by which a service without keys may be called, beside this machine's "
        "own, comma separated",
    )

    # operating
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="of the log; auto is text on a terminal and JSON elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_text: bool = Field(False, description="write users' texts to the log")
    traces: bool = Field(False, description="send OpenTelemetry traces (extra: otel)")
    drain_notice: float = Field(0.0, ge=0, description="seconds of not-ready before refusing")
    drain: float = Field(20.0, ge=0, description="seconds for requests to finish at the end")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()
            ]
            told = "; ".join(lines)
            raise SettingsError(
                f"设置有误：{told}。环境变量以 QINGYU_ 开头。",
                f"Wrong setting: {told}. Environment variables begin with QINGYU_.",
            ) from error

    @model_validator(mode="before")
    @classmethod
    def _kept_together(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Folders in `data` for what has no folder of its own."""
        data = values.get("data")
        if not data:
            return values
        return {**{name: Path(data) / name for name in KEPT}, **values}

    @field_validator("pin", "api_keys", "cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} 不是来源，应如 https://a.example，不带路径 / "
                    f"{origin!r} is no origin such as https://a.example, without a path"
                )
        return tuple(map(str.lower, value))  # as browsers send them

    @property
    def has_keys(self) -> bool:
        return bool(self.api_keys) or self.api_keys_file is not None

    @model_validator(mode="after")
    def _closed_by_default(self) -> Settings:
        if not (is_loopback(self.host) or self.has_keys or self.allow_open):
            raise ValueError(
                f"监听 {self.host} 会对外开放服务，请设置 API 密钥，"
                "或用 QINGYU_ALLOW_OPEN=1 明确允许 / "
                f"listening on {self.host} opens the service to others: set API keys, "
                "or allow it with QINGYU_ALLOW_OPEN=1"
            )
        if self.has_keys and "*" in self.cors_origins:
            raise ValueError(
                "有密钥时 QINGYU_CORS_ORIGINS 不能是 *：请逐个写明网站 / "
                "with API keys QINGYU_CORS_ORIGINS may not be *: name the sites one by one"
            )
        return self


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
