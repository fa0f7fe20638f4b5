"""What is answered without FastAPI, and that it is described all the same."""

from __future__ import annotations

import subprocess
import sys

from qingyu.web.api.direct import ROUTES
from tests.support.serving import Running

SMALL = """
import sys
from starlette.testclient import TestClient
from qingyu.settings import Settings
from qingyu.web.app import create_app

with TestClient(create_app(Settings(_env_file=None)), base_url="http://localhost") as client:
    answer = client.post("/v1/fill-mask", json={"text": "今天天气真[MASK]啊。"})
    assert answer.json()["results"][0]["masks"], answer.text
    assert client.get("/health/ready").json() == {"status": "ready"}
    assert b"qingyu_batches_total" in client.get("/metrics").content
    assert "fastapi" not in sys.modules and "qingyu.jobs.store" not in sys.modules
    assert client.get("/v1/models").status_code == 200
    assert "fastapi" in sys.modules
"""


def test_a_service_that_only_answers_tasks_loads_no_fastapi() -> None:
    """Tasks, health and metrics need Starlette alone; the rest is made when it is asked for."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_openapi_describes_all_that_is_answered_directly(running: Running) -> None:
    """Each address and method that passes FastAPI by stands in the document."""
    with running.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert {(method, path) for method, path in ROUTES if method.lower() not in paths[path]} == set()
    assert len(ROUTES) > len(("/predict", "/health/live", "/health/ready", "/metrics"))


def test_the_process_that_starts_the_others_loads_no_service() -> None:
    """What listens, and starts and watches the processes of a service, needs no more than the
    settings."""
    program = "import sys, qingyu.web.server, qingyu.web.processes\n"
    program += "assert not {'numpy', 'uvicorn', 'prometheus_client'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", program], check=True)
