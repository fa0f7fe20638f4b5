"""`qingyu serve`: the HTTP service and the page."""

from __future__ import annotations


def serve() -> None:
    """启动 HTTP 服务与网页 / Start the HTTP service and the page."""
    from qingyu.settings import Settings
    from qingyu.web.server import serve as run

    run(Settings())
