"""/openapi.json: what FastAPI gathers, with the bodies that the endpoints read themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, Response

REFERENCE = "#/components/schemas/{model}"


def add_openapi(app: FastAPI) -> None:
    async def document(_: Request) -> Response:
        return JSONResponse(describe(app))

    app.add_route("/openapi.json", document, include_in_schema=False)


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once; body types become components beside the answers' types."""
    made: dict[str, Any] = app.openapi()
    bodies = [
        operation.pop("x-schema")
        for path in made["paths"].values()
        for operation in path.values()
        if "x-schema" in operation
    ]
    if bodies:
        _, definitions = models_json_schema(
            [(body, "validation") for body in dict.fromkeys(bodies)], ref_template=REFERENCE
        )
        made.setdefault("components", {}).setdefault("schemas", {}).update(
            definitions.get("$defs", {})
        )
    return made
