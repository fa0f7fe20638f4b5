"""/openapi.json: what FastAPI gathers, with the bodies that the endpoints read themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from .exchange import answered

REFERENCE = "#/components/schemas/{model}"


def add_openapi(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """`bodies` are the types that operations refer to with `exchange.body_of`."""

    @cache
    def written() -> bytes:  # it takes long, and anyone may ask for it
        return json.dumps(describe(app, bodies), ensure_ascii=False).encode()

    async def document(_: Request) -> Response:
        return answered(written())

    app.add_route("/openapi.json", document, include_in_schema=False)


def describe(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The document; body types become components beside the answers' types."""
    made: dict[str, Any] = app.openapi()
    _, definitions = models_json_schema(
        [(body, "validation") for body in bodies], ref_template=REFERENCE
    )
    made["components"]["schemas"].update(definitions["$defs"])
    return made
