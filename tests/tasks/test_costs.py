"""What a task says it will cost, and what it does cost, driven with numbers in place of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qingyu.model import Model
from qingyu.query import Cost, Query
from qingyu.service.calls import encode
from qingyu.settings import Settings
from qingyu.tasks.drive import Running
from qingyu.tasks.registry import TASKS

LONG = "今天天气真好，适合出去玩。" * 60
WRONG = "我门今天去公园完，天汽真好；他因该在在图馆里。" * 30
LABELS = ["体育", "财经", "今天的天气"]
Case = tuple[str, tuple[Any, ...], dict[str, Any]]
CASES: dict[str, Case] = {
    "masks": ("fill-mask", ("今天[MASK]好，[MASK]气",), {"top_k": 100}),
    "masks far apart": ("fill-mask", (LONG + "[MASK]" + LONG + "[mask]" + LONG,), {}),
    "masks of another spelling": (
        "fill-mask",
        ("今天___好（ ）气□",),
        {"mask": ("___", "（ ）", "□")},
    ),
    "targets": ("fill-mask", ("今天[MASK]好[MASK]",), {"targets": ("天气", "好", "天气预报")}),
    "targets in a long text": ("fill-mask", (LONG + "[MASK]",), {"targets": ("天气", "天气预报")}),
    "alternatives": ("fill-mask", ("今天[MASK][MASK]好",), {"alternatives": 20}),
    "a lexicon": ("fill-mask", ("今天[MASK][MASK]好",), {"lexicon": ("天气", "今年", "很")}),
    "a score": ("score", ("今天天气真好。",), {}),
    "a long score": ("score", (LONG,), {}),
    "a check": ("check", ("我门今天去公园完，天汽真好。",), {}),
    "a long check": ("check", (WRONG,), {}),
    "labels": ("zero-shot-classification", ("今天天气真好。", tuple(LABELS)), {}),
    "labels in a string": ("zero-shot-classification", ("今天天气真好。", "体育，财经,天气"), {}),
    "described labels": (
        "zero-shot-classification",
        ("今天天气真好。", tuple(zip("abc", LABELS, strict=True))),
        {"hypothesis_template": ("说的是{}。", "{}与{}"), "multi_label": True},
    ),
    "labels of a long text": ("zero-shot-classification", (LONG, tuple(LABELS)), {}),
    "a cloze": ("zero-shot-classification", (LONG, tuple(LABELS)), {"method": "cloze"}),
    "a pair": ("sentence-similarity", ("今天好", "今天不好"), {}),
    "a long pair": ("sentence-similarity", (LONG, LONG), {}),
    "a ranking": ("sentence-ranking", ("今天好", ("今天不好", LONG, "明天")), {}),
    "entities": ("token-classification", (LONG,), {}),
    "an exercise": ("exercise", ("我家门口有一棵大树。因为下雨，所以他半途而废。" * 9,), {}),
    "characters": ("exercise", ("守株待兔\n亡羊补牢\n" * 9,), {"kinds": ["characters"]}),
    "words": (
        "exercise",
        ("我家门口有一棵大树，树上有小鸟。",),
        {"words": ["门口", "大树", "小鸟", "飞机场"], "choices": 2},
    ),
    "a vector": ("feature-extraction", (LONG,), {}),
}


def driven(model: Model, task: str, inputs: tuple[Any, ...], given: dict[str, Any]) -> Cost:
    """What it cost, answered with noise of the right shapes."""
    noise = np.random.default_rng(1)

    def answer(query: Query) -> Any:
        head = model.manifest.heads.get(query.head)
        if head is None:
            outputs = 512
        elif head.kind in ("masked-lm", "correction"):
            outputs = model.tokenizer.vocab_size
        elif head.kind == "detection":
            outputs = 1
        else:
            outputs = len(head.labels)
        return noise.standard_normal((len(query.positions), outputs)).astype(np.float32)

    running = Running(model.steps(task, *inputs, **given))
    tokens = 0
    while not running.over:
        tokens += sum(query.cost for query in running.queries)
        running.advance([answer(query) for query in running.queries])
    return Cost(tokens, len(encode(running.result)))


@pytest.mark.parametrize("case", CASES)
def test_no_task_costs_more_than_it_says(model: Model, case: str) -> None:
    """Tokens and bytes are told before, from sizes alone, and what comes is no more."""
    task, inputs, given = CASES[case]
    told = model.cost(task, *inputs, **given)
    found = driven(model, task, inputs, given)
    assert found.tokens <= told.tokens
    assert found.bytes <= told.bytes
    assert told.tokens <= 100 * found.tokens + 200  # nor does it cry wolf


def test_every_task_tells_its_cost(model: Model) -> None:
    """Also where what is given makes no sense: the task refuses that, not its cost."""
    for task in TASKS:
        assert model.cost(task, "今天天气真好。").bytes > 0
        for odd in ((None,), ("",), (1,), ({"b": 1},)):
            model.cost(task, *odd)
    assert model.cost("nonsense", "text") == Cost(0, 0)


@pytest.mark.parametrize(
    ("task", "inputs", "given"),
    [
        ("zero-shot-classification", ("好", ("啊" * 19_000, "b")),
         {"hypothesis_template": "{}" * 20_000}),
        ("fill-mask", ("今天[MASK]好",), {"targets": ("啊" * 10_000,)}),
        ("fill-mask", ("[MASK]" * 64,), {"targets": tuple(f"天气{n}" for n in range(20_000))}),
    ],
)  # fmt: skip
def test_what_multiplies_is_told(
    model: Model, task: str, inputs: tuple[Any, ...], given: dict[str, Any]
) -> None:
    """Little to send and much to do costs much, and telling so builds nothing."""
    assert model.cost(task, *inputs, **given).tokens > Settings().max_request_tokens


def test_the_longest_text_may_be_checked(model: Model) -> None:
    """What a check may cost in all its rounds is within what one request may cost."""
    limits = Settings()
    told = model.cost("check", "啊" * limits.max_characters)
    assert told.tokens < limits.max_request_tokens
    assert told.bytes < limits.max_answer


def test_candidates_of_a_long_text_are_many_bytes(model: Model) -> None:
    """Each candidate comes with the whole text."""
    told = model.cost("fill-mask", ("啊" * 300 + "[MASK]") * 60, top_k=100)
    assert told.bytes > 100 << 20
