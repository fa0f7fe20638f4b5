"""The proxies of the manual, as configured there, in front of a service; skipped where not here."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.serving import Running, fake_settings, serving

PAGE = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text("utf-8")
LINES = {"accept": "application/x-ndjson"}

pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(folder: Path, port: int, service: str) -> list[str]:
    """Its command; of the manual's files only the address, the certificate and the place differ."""
    site, shared = blocks("nginx")
    (folder / "qingyu-proxy.conf").write_text(shared, "utf-8")
    site = site.replace("/etc/nginx/qingyu-proxy.conf", str(folder / "qingyu-proxy.conf"))
    site = site.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    site = re.sub(r" *ssl_certificate.*\n", "", site).replace("127.0.0.1:8000", service)
    places = "".join(
        f"{name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{}} http {{ access_log off; {places} {site} }}"""
    (folder / "nginx.conf").write_text(main, "utf-8")
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, service: str) -> list[str]:
    (site,) = blocks("caddy")
    site = site.replace("qingyu.example", f"http://qingyu.example:{port}")
    options = "{\n\tadmin off\n}\n"
    (folder / "Caddyfile").write_text(options + site.replace("127.0.0.1:8000", service), "utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@contextmanager
def behind(proxy: str, running: Running, folder: Path) -> Iterator[httpx.Client]:
    """A client of a service that goes through the proxy, by the name the manual gives it."""
    port = free_port()
    make = {"nginx": nginx, "caddy": caddy}[proxy]
    command = make(folder, port, f"127.0.0.1:{running.port}")
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    own = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    process = subprocess.Popen(command, env=own, **how)
    headers = {"host": "qingyu.example", "content-type": "application/json"}
    address = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=20, verify=False) as client:  # noqa: S501
            end = time.monotonic() + 30
            while True:
                assert process.poll() is None, process.communicate()[1]
                try:
                    client.get("/health/live")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < end
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
def test_a_proxy_as_the_manual_has_it(proxy: str, tmp_path: Path) -> None:
    """The service answers by the site's name; what is streamed comes bit by bit; metrics stay
    inside; too large a body is refused."""
    if shutil.which(proxy) is None:
        pytest.skip(f"no {proxy} on PATH")
    settings = fake_settings(tmp_path, allowed_hosts="qingyu.example")
    with serving(settings) as running, behind(proxy, running, tmp_path) as client:
        body = {"text": ["真[MASK]"], "top_k": 1}
        answer = client.post("/v1/fill-mask", json=body)
        assert answer.json()["results"][0]["sequence"] == "真好"
        assert answer.headers["x-request-id"]
        assert client.get("/metrics").status_code == 403
        assert client.post("/v1/fill-mask", json={"text": "好" * 800_000}).status_code == 413

        running.model.gate.clear()
        several = {"text": ["没有空", "真[MASK]"]}
        with client.stream("POST", "/v1/fill-mask", json=several, headers=LINES) as streamed:
            lines = streamed.iter_lines()
            assert json.loads(next(lines))["error"]["code"] == "no_mask"
            running.model.gate.set()
            assert [next(iter(json.loads(line))) for line in lines] == ["index", "done"]


def test_the_manual_names_both_halves() -> None:
    """nginx has two files and Caddy one, in both languages the same."""
    chinese = Path(__file__).parents[2] / "docs" / "zh" / "proxies.md"
    assert (len(blocks("nginx")), len(blocks("caddy"))) == (2, 1)
    for language in ("nginx", "caddy"):
        for block in blocks(language):
            assert block in chinese.read_text("utf-8")
