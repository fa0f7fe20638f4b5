"""One line a request, as JSON or as text, without what users wrote unless that is asked for.

Whatever a client sends is cut and escaped before it is written: it can forge no line, move no
cursor and fill no disk.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from types import TracebackType
from typing import Any

from starlette.types import Scope

from qingyu.errors import InputError, QingyuError

from .context import RequestContext

log = logging.getLogger("qingyu.web.access")

QUIET = ("/health/", "/v2/health/", "/metrics", "/css/", "/js/")
MOST_CHARACTERS = 200  # of a value
MOST_OF_TEXT = 2000  # of what users wrote, where the operator asked for it
MOST_OF_EXCEPTION = 8000


def escaped(value: object, most: int = MOST_CHARACTERS) -> str:
    """`value` as text on one line: cut, and every character that does not print spelt out."""
    text = str(value)
    cut = "…" if len(text) > most else ""
    shown = text[:most]
    if shown.isprintable():
        return shown + cut
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown) + cut


class Formatter(logging.Formatter):
    """Exceptions with their kind and the places they passed, without their message.

    A message may quote the text that it is about, and what users wrote is in no log. Ours quote
    none, and the operating system's only names of files.
    """

    def __init__(self, *, messages: bool = False) -> None:
        super().__init__()
        self._messages = messages

    def formatException(  # noqa: N802 - logging's own name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        lines: list[str] = []
        error = ei[1]
        while error is not None and len(lines) < MOST_OF_EXCEPTION:
            frames = traceback.extract_tb(error.__traceback__)
            lines += [f"  {one.filename}:{one.lineno} {one.name}" for one in frames]
            kind = type(error)
            told = f"{kind.__module__}.{kind.__qualname__}"
            tellable = isinstance(error, OSError | QingyuError)
            if self._messages or (tellable and not isinstance(error, InputError)):
                told += f": {escaped(error)}"
            lines.append(told)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(lines)[:MOST_OF_EXCEPTION]


class JsonFormatter(Formatter):
    """`{"time", "level", "logger", "message", ...}`; extra fields come from `record.fields`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": escaped(record.getMessage(), MOST_OF_TEXT),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} "
        line += escaped(record.getMessage(), MOST_OF_TEXT)
        fields = getattr(record, "fields", {})
        line += "".join(f" {key}={value}" for key, value in fields.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def for_people(kind: str) -> bool:
    """Whether a log of `kind` is lines for people: "text", or "auto" on a terminal; else JSON."""
    return kind == "text" or (kind == "auto" and sys.stderr.isatty())


def set_up_logging(kind: str, level: str, *, texts: bool = False) -> None:
    """Our loggers, uvicorn's and asyncio's to standard error, in the form of `for_people`.

    `texts`: what users wrote may be written, messages of exceptions included.
    """
    handler = logging.StreamHandler(sys.stderr)
    made = TextFormatter if for_people(kind) else JsonFormatter
    handler.setFormatter(made(messages=texts))
    for name in ("qingyu", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger("qingyu").level))


def log_request(scope: Scope, status: int, context: RequestContext) -> None:
    """One access line. Health checks and files of the page are told at debug level only."""
    path = scope["path"]
    level = logging.DEBUG if path.startswith(QUIET) and status < 500 else logging.INFO
    if not log.isEnabledFor(level):
        return
    fields: dict[str, Any] = {
        "request_id": context.request_id,
        "method": scope["method"],
        "path": escaped(path),
        "status": status,
        "ms": round(context.elapsed_ms, 2),
    }
    for name in ("task", "model", "client", "error", "texts", "tokens", "text"):
        value = getattr(context, name)
        if isinstance(value, str) and value:
            fields[name] = escaped(value, MOST_OF_TEXT if name == "text" else MOST_CHARACTERS)
        elif value:
            fields[name] = value
    log.log(level, "request", extra={"fields": fields})
