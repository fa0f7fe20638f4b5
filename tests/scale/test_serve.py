"""The HTTP interface on a real Ray Serve."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

import qingyu

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def address() -> Iterator[str]:
    from ray import serve

    from qingyu.scale.serve import application

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(application({"max_replicas": "2"}), name="qingyu", route_prefix="/")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


def test_the_same_interface(address: str) -> None:
    """Routes, answers, errors and headers are those of `qingyu serve`."""
    text = "今天天气真[MASK]啊，适合出去玩。"
    with httpx.Client(base_url=address, timeout=60) as client:
        end = time.monotonic() + 60
        while client.get("/health/ready").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.2)
        answer = client.post("/v1/fill-mask", json={"text": text})
        result = answer.json()["results"][0]
        model = qingyu.load(threads=1)
        expected = model.fill_mask(text)
        model.close()
        assert result["sequence"] == expected.sequence
        assert result["masks"][0]["candidates"][0]["score"] == expected.masks[0].candidates[0].score
        assert answer.headers["x-content-type-options"] == "nosniff"
        refused = client.post("/v1/fill-mask", json={"text": "没有空"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "no_mask")
        assert "轻语" in client.get("/").text
