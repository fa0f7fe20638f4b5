"""One line a request, as JSON or as text, without what users wrote unless that is asked for."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from starlette.types import Scope

from .context import RequestContext

log = logging.getLogger("qingyu.web.access")

QUIET = ("/health/", "/v2/health/", "/metrics", "/css/", "/js/")


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", ...}`; extra fields come from `record.fields`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} "
        line += record.getMessage()
        fields = getattr(record, "fields", {})
        line += "".join(f" {key}={value}" for key, value in fields.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def set_up_logging(kind: str, level: str) -> None:
    """Our loggers and uvicorn's to standard error, in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    for name in ("qingyu", "uvicorn"):
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
        "path": path[:200],
        "status": status,
        "ms": round(context.elapsed_ms, 2),
    }
    for name in ("task", "model", "client", "error", "texts", "tokens", "text"):
        value = getattr(context, name)
        if value:
            fields[name] = value
    log.log(level, "request", extra={"fields": fields})
