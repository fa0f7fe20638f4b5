"""What the pipelines are asked: checkpoint, task, inputs, parameters, in the Hub's own terms."""

from __future__ import annotations

from typing import Any, NamedTuple

from tiny_texts import LABELS, PAIRS, TEMPLATES, TEXTS, UNKNOWN


class Case(NamedTuple):
    """One call of a pipeline; `{mask}` in the inputs stands for the tokenizer's mask."""

    checkpoint: str
    task: str
    inputs: Any
    parameters: dict[str, Any]


FILL_MASK = "fill-mask"
ZERO_SHOT = "zero-shot-classification"
CLASSIFY = "text-classification"
TAG = "token-classification"
GENERATE = "text2text-generation"
EMBED = "feature-extraction"

FAMILIES = ["roberta", "distilbert", "albert", "electra", "mobilebert"]
STRATEGIES = ["none", "simple", "first", "average", "max"]
MASKED = "今天天气真{mask}，适合出去玩。"
TWO_MASKS = "我在{mask}{mask}大学学习人工智能。"
PEOPLE = [TEXTS[12], TEXTS[9], TEXTS[18], UNKNOWN]
PAIR = {"text": PAIRS[0][0], "text_pair": PAIRS[0][1]}
TEMPLATE = {"hypothesis_template": TEMPLATES[0]}


def fill_mask() -> list[Case]:
    """Masks first, last and several; targets; batches; every family."""
    name = "bert-masked-lm"
    cases = [
        Case(name, FILL_MASK, MASKED, {}),
        Case(name, FILL_MASK, MASKED, {"top_k": 10}),
        Case(name, FILL_MASK, "{mask}天天气真好，适合出去玩。", {"top_k": 3}),
        Case(name, FILL_MASK, "今天天气真{mask}", {"top_k": 1}),
        Case(name, FILL_MASK, "{mask}", {"top_k": 3}),
        Case(name, FILL_MASK, TWO_MASKS, {"top_k": 3}),
        Case(name, FILL_MASK, "{mask}是{mask}，不是{mask}。", {}),
        Case(name, FILL_MASK, MASKED, {"targets": ["好", "冷", "暖", "差"]}),
        Case(name, FILL_MASK, MASKED, {"targets": ["好", "冷", "暖", "差"], "top_k": 2}),
        Case(name, FILL_MASK, TWO_MASKS, {"targets": ["北", "京", "海"]}),
        Case(name, FILL_MASK, "我用{mask}写了一个小程序。", {"targets": "python"}),
        Case(name, FILL_MASK, f"{UNKNOWN}它很{{mask}}。", {"top_k": 2}),
        Case(name, FILL_MASK, [MASKED, f"{TEXTS[18]}{{mask}}", "真{mask}"], {"top_k": 2}),
    ]
    for family in ["ernie", "xlm-roberta", *FAMILIES]:
        cases.append(Case(f"{family}-masked-lm", FILL_MASK, MASKED, {}))
        cases.append(Case(f"{family}-masked-lm", FILL_MASK, TWO_MASKS, {"top_k": 3}))
    return cases


def zero_shot() -> list[Case]:
    """One and several labels right, templates, one label only, several texts."""
    cases = []
    for name in ("bert-nli", "xlm-roberta-nli"):
        for text in (TEXTS[6], TEXTS[7], TEXTS[0]):
            labels = {"candidate_labels": LABELS}
            cases.append(Case(name, ZERO_SHOT, text, labels | TEMPLATE))
            cases.append(Case(name, ZERO_SHOT, text, labels | TEMPLATE | {"multi_label": True}))
        other = {"hypothesis_template": TEMPLATES[1]}
        cases.append(Case(name, ZERO_SHOT, TEXTS[10], labels | other))
        cases.append(Case(name, ZERO_SHOT, TEXTS[10], {"candidate_labels": ["科技"]} | other))
        cases.append(Case(name, ZERO_SHOT, TEXTS[10], {"candidate_labels": "科技, 体育"} | other))
        cases.append(Case(name, ZERO_SHOT, [TEXTS[18], TEXTS[15]], labels | TEMPLATE))
    return cases


def classify() -> list[Case]:
    """Softmax, sigmoid and regression; pairs; top_k; every family."""
    name = "bert-sentiment"
    cases = [
        Case(name, CLASSIFY, TEXTS[3], {}),
        Case(name, CLASSIFY, TEXTS[3], {"top_k": None}),
        Case(name, CLASSIFY, TEXTS[4], {"top_k": 1}),
        Case(name, CLASSIFY, TEXTS[4], {"top_k": None, "function_to_apply": "sigmoid"}),
        Case(name, CLASSIFY, TEXTS[4], {"top_k": None, "function_to_apply": "none"}),
        Case(name, CLASSIFY, [TEXTS[3], TEXTS[15], TEXTS[18], UNKNOWN], {}),
        Case(name, CLASSIFY, PAIR, {"top_k": None}),
        Case("bert-nli", CLASSIFY, PAIR, {"top_k": None}),
        Case("bert-nli", CLASSIFY, TEXTS[0], {"top_k": 2}),
        Case("bert-multi-label", CLASSIFY, TEXTS[6], {"top_k": None}),
        Case("bert-multi-label", CLASSIFY, [TEXTS[7], TEXTS[10]], {"top_k": 3}),
        Case("bert-multi-label", CLASSIFY, PAIR, {}),
        Case("bert-regression", CLASSIFY, TEXTS[3], {}),
        Case("bert-regression", CLASSIFY, PAIR, {"top_k": None}),
    ]
    for family in FAMILIES:
        cases.append(Case(f"{family}-sentiment", CLASSIFY, TEXTS[3], {"top_k": None}))
        cases.append(Case(f"{family}-sentiment", CLASSIFY, PAIR, {"top_k": None}))
    return cases


def tag() -> list[Case]:
    """Every aggregation on texts whose words are pieces of Latin letters and single characters."""
    cases = [
        Case(name, TAG, text, {"aggregation_strategy": strategy})
        for name in ("bert-ner", "xlm-roberta-ner")
        for strategy in STRATEGIES
        for text in PEOPLE
    ]
    shown = {"aggregation_strategy": "simple", "ignore_labels": []}
    cases.append(Case("bert-ner", TAG, TEXTS[12], shown))
    cases.append(Case("bert-ner", TAG, PEOPLE[:2], {"aggregation_strategy": "average"}))
    average = {"aggregation_strategy": "average"}
    return cases + [Case(f"{family}-ner", TAG, TEXTS[12], average) for family in FAMILIES[1:]]


def generate() -> list[Case]:
    """Greedy and beam search with the options that change the answer."""
    short = {"max_new_tokens": 12}
    beams = short | {"num_beams": 4}
    options = [
        short,
        beams,
        beams | {"num_return_sequences": 4},
        beams | {"num_return_sequences": 2, "length_penalty": 2.0},
        beams | {"num_return_sequences": 4, "early_stopping": True},
    ]
    return [
        Case(name, GENERATE, text, parameters)
        for name in ("t5-tied", "mt5-untied")
        for text in (TEXTS[3], TEXTS[11], "今天 <extra_id_0> 真好，适合 <extra_id_1> 玩。")
        for parameters in options
    ]


def embed() -> list[Case]:
    """Mean over all real tokens, then unit length."""
    texts = [TEXTS[0], TEXTS[15], TEXTS[18], UNKNOWN]
    return [
        Case(name, EMBED, texts, {"pooling": "mean", "normalize": True})
        for name in ("bert-encoder", "bert-masked-lm", "xlm-roberta-masked-lm", "mobilebert-ner")
    ]


def all_cases() -> list[Case]:
    """Return every case, in the order they are stored."""
    return [*fill_mask(), *zero_shot(), *classify(), *tag(), *generate(), *embed()]
