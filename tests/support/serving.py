"""The real server on a free port, in a thread, with a fake model or the embedded one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from qingyu.bundle import HeadInfo, Manifest, Sizes, write_manifest
from qingyu.errors import EmptyTextError, NoMaskError
from qingyu.numbers import FloatArray
from qingyu.query import Cost, Query, Steps
from qingyu.results import Candidate, FillMaskResult, MaskFill
from qingyu.service.slots import ServedModel
from qingyu.settings import Settings
from qingyu.web.app import create_app
from qingyu.web.sockets import address_of, listen
from qingyu.web.worker import Server
from tests.support.models import FakeModel

SENTENCE = "今天天气真[MASK]啊，适合出去玩。"


def write_bundle(folder: Path, name: str = "fake", **changes: Any) -> Path:
    """A bundle that only a fake can load: a manifest and nothing else."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    values: dict[str, Any] = {
        "name": name,
        "family": "bert",
        "precision": "int8",
        "sizes": Sizes(100, 8, 1, 1, 16, 512, 1000),
        "heads": {"fill-mask": HeadInfo("head.onnx", "masked-lm")},
        "files": {},
    }
    write_manifest(Manifest(**{**values, **changes}), path)
    return path


class FillingModel(FakeModel):
    """Fills each mask with 好; one token a character."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.ran: list[int] = []

    def steps(self, task: str, /, *inputs: Any, **parameters: Any) -> Steps[Any]:
        return self._fill(inputs[0], parameters.get("top_k", 5))

    def _fill(self, text: str, top_k: int) -> Steps[FillMaskResult]:
        if not text.strip():
            raise EmptyTextError
        starts = [i for i in range(len(text)) if text.startswith("[MASK]", i)]
        if not starts:
            raise NoMaskError
        ids = np.zeros(min(len(text) + 2, 512), np.int64)
        (scores,) = yield [Query(ids, ids, np.array(starts) % len(ids))]
        masks = tuple(
            MaskFill(
                start,
                start + 6,
                tuple(
                    Candidate("好", 7, float(scores[0, 0]), text.replace("[MASK]", "好"))
                    for _ in range(top_k)
                ),
            )
            for start in starts
        )
        return FillMaskResult(text, text.replace("[MASK]", "好"), masks, False)

    def cost(self, task: str, /, *inputs: Any, **parameters: Any) -> Cost:
        characters = sum(len(text) for text in inputs if isinstance(text, str))
        return Cost(characters + 2, 6 * characters * (1 + parameters.get("top_k", 5)))

    def run_batch(self, queries: Sequence[Query]) -> list[FloatArray]:
        self.pass_gate()
        self.ran.append(len(queries))
        return [np.full((len(q.positions), 1), 0.5, np.float32) for q in queries]


class Running:
    """A server that runs: its address, its settings, and the models it has loaded."""

    def __init__(self, settings: Settings, load: Callable[[Path], ServedModel] | None) -> None:
        self.models: list[Any] = []

        def remember(path: Path) -> ServedModel:
            assert load is not None
            model = load(path)
            self.models.append(model)
            return model

        listener = listen(settings)
        self.address = address_of(listener)
        self.port = listener.getsockname()[1]
        self.app = create_app(settings, load=None if load is None else remember)
        self.server = Server(self.app, settings)
        self.state = self.server.state
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = threading.Thread(target=self.server.run, args=([listener],), daemon=True)

    @property
    def model(self) -> FillingModel:
        model: FillingModel = self.models[-1]
        return model

    def client(self, **options: Any) -> httpx.Client:
        # Nothing here is encrypted, and reading the certificates takes longer than a test.
        client = httpx.Client(base_url=self.address, timeout=120, verify=False, **options)  # noqa: S501
        client.headers.setdefault("content-type", "application/json")
        return client


@contextmanager
def serving(
    settings: Settings,
    load: Callable[[Path], ServedModel] | None = FillingModel,  # type: ignore[assignment]
) -> Iterator[Running]:
    running = Running(settings, load)
    running.thread.start()
    try:
        with running.client() as client:
            answer = client.get("/health/ready")  # the socket listens already: this waits
            assert answer.status_code == 200, answer.text
        yield running
    finally:
        for model in running.models:
            model.gate.set()
        running.server.should_exit = True
        running.thread.join(30)
        assert not running.thread.is_alive()


def fake_settings(folder: Path, **changes: Any) -> Settings:
    write_bundle(folder)
    values: dict[str, Any] = {"port": 0, "models": folder, "model": "fake", "drain": 1, "lanes": 1}
    return Settings(**{**values, **changes})
