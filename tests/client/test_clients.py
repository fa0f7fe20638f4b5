"""Clients against a real service with the model in the package: as if the model were here."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import qingyu
from qingyu.client import answers, clients, questions
from qingyu.errors import (
    EmptyTextError,
    InputError,
    ModelNotFoundError,
    NoMaskError,
    OverloadedError,
    QingyuError,
    ServiceError,
)
from qingyu.results import Found, SearchResult
from qingyu.settings import Settings
from qingyu.tasks.registry import TASKS
from qingyu.web.app import create_app
from qingyu.web.sockets import address_of, listen
from qingyu.web.worker import Server

CALLS: dict[str, Callable[[Any], Any]] = {
    "fill_mask": lambda m: m.fill_mask("北京是中国的首[MASK]。", top_k=2),
    "fill_mask of several": lambda m: m.fill_mask(["一[MASK]马", "真[MASK]"], alternatives=2),
    "score": lambda m: m.score("今天天气真好。"),
    "check": lambda m: m.check("今天天汽真好，适合出去玩。", keep=("轻语",)),
    "zero_shot": lambda m: m.zero_shot("这家店的面很好吃。", ["美食", "体育"]),
    "zero_shot with sets": lambda m: m.zero_shot(
        ["面很好吃。", "进球了。"], [["美食", "体育"]] * 2
    ),
    "classify": lambda m: m.classify(["这家店的面很好吃。", "太差了。"], top_k=1),
    "similarity": lambda m: m.similarity("怎么退款？", "如何退款？"),
    "similarity of lists": lambda m: m.similarity(["怎么退款？"], ["如何退款？"]),
    "rank": lambda m: m.rank("怎么退款？", ["如何退款？", "天气"], top_k=1),
    "rank of several": lambda m: m.rank(["怎么退款？", "天气"], ["如何退款？", "天气"]),
    "ner": lambda m: m.ner("王小明在北京。", gazetteer={"北京": "城市"}),
    "embed": lambda m: m.embed("今天"),
    "nothing": lambda m: m.fill_mask([]),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A service on a free port."""
    settings = Settings(_env_file=None, port=0)
    listener = listen(settings)
    server = Server(create_app(settings), settings)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=address_of(listener), timeout=120) as client:
            assert client.get("/health/ready").status_code == 200
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


@pytest.fixture(scope="module")
def model() -> Iterator[qingyu.Model]:
    with qingyu.load() as loaded:
        yield loaded


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_client_answers_as_the_model_does(
    call: Callable[[Any], Any], address: str, model: qingyu.Model
) -> None:
    """Every method gives equal results, of the same types, awaited or not."""

    async def awaited() -> Any:
        async with qingyu.AsyncClient(address) as client:
            return await call(client)

    here = call(model)
    with qingyu.Client(address) as client:
        assert call(client) == here
    assert asyncio.run(awaited()) == here


def test_vectors_and_models(address: str, model: qingyu.Model) -> None:
    """`encode` gives the model's arrays; the models of the service are listed."""
    with qingyu.Client(address) as client:
        np.testing.assert_allclose(client.encode("今天"), model.encode("今天"), atol=1e-6)
        assert client.encode(["今天", "明天"]).shape == model.encode(["今天", "明天"]).shape
        assert [one["name"] for one in client.models()] == [model.name]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda m: m.fill_mask("没有空"), NoMaskError),
        (lambda m: m.score(""), EmptyTextError),
        (lambda m: m.fill_mask("[MASK]", top_k=0), InputError),
        (lambda m: m.classify("好", head="没有的头"), QingyuError),
        (lambda m: m.similarity("好", ["不", "配"]), InputError),
        (lambda m: m.score("好", nonsense=1), TypeError),
    ],
)
def test_errors_are_the_models(
    call: Callable[[Any], Any], kind: type[Exception], address: str, model: qingyu.Model
) -> None:
    """What a model refuses, the client refuses with an error of the same kind."""
    with pytest.raises(kind):
        call(model)
    with qingyu.Client(address) as client, pytest.raises(kind):
        call(client)


def test_errors_tell_where_and_what(address: str) -> None:
    """Which text was at fault, and the request's number, for the operator's log."""
    with qingyu.Client(address) as client, pytest.raises(NoMaskError) as refused:
        client.fill_mask(["[MASK]", "没有空"])
    assert vars(refused.value)["index"] == 1
    assert vars(refused.value)["request_id"]
    assert "第 2 条" in refused.value.zh
    assert "Item 2" in refused.value.en
    with qingyu.Client(address, model="没有的") as client, pytest.raises(ModelNotFoundError):
        client.score("好")


def test_long_lists_go_in_parts(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More texts than one request takes are answered in order; an error counts all of them."""
    monkeypatch.setattr(questions, "TEXTS_AT_ONCE", 2)
    texts = ["北京是中国的首[MASK]。", "一[MASK]马", "[MASK]", "今天天气真[MASK]。", "[MASK]好"]
    with qingyu.Client(address) as client:
        assert [one.text for one in client.fill_mask(texts)] == texts
        labels = [["甲", "乙"], ["甲", "丙"], ["丁", "乙"]]
        sets = client.zero_shot(texts[:3], labels)
        assert [sorted(one.labels) for one in sets] == [sorted(one) for one in labels]
        with pytest.raises(NoMaskError, match="第 4 条"):
            client.fill_mask([*texts[:3], "没有空"])


def test_no_service() -> None:
    """It is told what cannot be reached, and how to start one."""
    with qingyu.Client("http://127.0.0.1:9") as client, pytest.raises(ServiceError) as refused:
        client.score("好")
    assert refused.value.code == "unreachable"
    assert "qingyu serve" in str(refused.value)


def test_refusals_of_a_busy_service_and_of_strangers() -> None:
    """429 says when to come back, a key that is wanted says so, a proxy is told from a service."""
    body = b'{"error": {"code": "overloaded", "message": "\xe5\xbf\x99", "message_en": "busy"}}'
    busy = answers.error(429, body, {"retry-after": "7"})
    assert isinstance(busy, OverloadedError)
    assert (busy.retry_after, busy.zh, busy.en) == (7.0, "忙", "busy")
    key = answers.error(401, body.replace(b"overloaded", b"unauthorized"), {})
    assert (type(key), key.code) == (QingyuError, "unauthorized")
    assert isinstance(answers.error(502, b"<html>", {}), ServiceError)
    with pytest.raises(ServiceError, match="代理"):
        answers.results(TASKS["score"].result, b"<html>")


def test_rows_of_an_index_are_results() -> None:
    """What search answers is read with its rows."""
    hit = {"id": 3, "text": "怎么退款", "score": 0.5, "row": {"问": "怎么退款", "答": 1}}
    body = json.dumps({"results": [{"text": "退款", "hits": [hit]}]})
    (found,) = answers.results(SearchResult, body.encode())
    assert found.hits == (Found(3, "怎么退款", 0.5, (("问", "怎么退款"), ("答", 1))),)


def test_a_key_is_sent() -> None:
    """As the service expects it."""
    assert clients._headers("secret")["authorization"] == "Bearer secret"
    assert "authorization" not in clients._headers(None)


def test_it_has_the_methods_of_a_model() -> None:
    """Every task of the registry, with its parameters, for help() and Tab."""
    for task in TASKS.values():
        ours = inspect.signature(getattr(qingyu.Client, task.method)).parameters
        assert set(inspect.signature(task.begin).parameters) - {"context"} <= set(ours)
        assert getattr(qingyu.AsyncClient, task.method).__doc__
    assert {"ner", "encode", "fill_mask"} <= set(dir(qingyu.Client))


def test_without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(QingyuError, match="pip install httpx"):
        qingyu.Client()


def test_the_manuals_example_runs(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the manual shows of a client, against a service."""
    manual = Path(__file__).parents[2] / "docs" / "python.md"
    (example,) = re.findall(r"```py\n(.*?)```", manual.read_text("utf-8"), re.DOTALL)
    exec(example.replace("http://127.0.0.1:8000", address), {})  # noqa: S102 our own manual
    assert capsys.readouterr().out == "北京是中国的首都。\n"
