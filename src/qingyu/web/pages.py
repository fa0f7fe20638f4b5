"""The page and the documentation: files of the package, held in memory, compressed once."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
WORTH_COMPRESSING = 600  # bytes
# A module is given to other sites' pages only where it says so; this one has no secrets.
FOR_EVERY_PAGE = "/client.js"


@dataclass(frozen=True)
class File:
    """`packed` is gzip, or empty where that does not pay."""

    body: bytes
    packed: bytes
    kind: str
    tag: str
    for_every_page: bool = False

    def answer(self, request: Request) -> Response:
        """The file, compressed if the client can; 304 where it has this version already."""
        headers = {"etag": self.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if self.for_every_page:
            headers["access-control-allow-origin"] = "*"
        known = request.headers.get("if-none-match", "")
        if self.tag in known or known.strip() == "*":
            return Response(status_code=304, headers=headers)
        body = self.body
        if self.packed and "gzip" in request.headers.get("accept-encoding", ""):
            body = self.packed
            headers["content-encoding"] = "gzip"
        return Response(body, headers=headers, media_type=self.kind)


def read_files(folder: Path = STATIC) -> dict[str, File]:
    """Every file below `folder` that has a known type, by its address."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in TYPES and path.is_file():
            address = "/" + PurePosixPath(path.relative_to(folder)).as_posix()
            body = path.read_bytes()
            packed = gzip.compress(body, 9, mtime=0) if len(body) > WORTH_COMPRESSING else b""
            if len(packed) > 0.9 * len(body):
                packed = b""
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            files[address.removesuffix("index.html")] = File(
                body, packed, TYPES[path.suffix], tag, for_every_page=address == FOR_EVERY_PAGE
            )
    return files


def page_routes() -> list[Route]:
    """One route a file, and `/docs` without its slash."""
    routes = []
    for address, file in read_files().items():

        async def endpoint(request: Request, file: File = file) -> Response:
            return file.answer(request)

        routes.append(Route(address, endpoint, methods=["GET"], include_in_schema=False))

    async def to_docs(_: Request) -> Response:
        return RedirectResponse("docs/")

    routes.append(Route("/docs", to_docs, methods=["GET"], include_in_schema=False))
    return routes
