"""What the stand-in answers: the JSON of each task, from plain formulas."""

from __future__ import annotations

import re
from typing import Any

MASK = re.compile(r"\[mask\]|_{2,}", re.IGNORECASE)
WORDS = "好的大美高热冷晴静新快乐东南西北上下中天"

Answer = dict[str, Any]


def fill_mask(body: Answer, text: str) -> Answer:
    top_k = body.get("top_k", 5)
    scores = [0.62 * 0.5**i for i in range(top_k)]
    masks = []
    for n, match in enumerate(MASK.finditer(text)):
        tokens = [WORDS[(n + i) % len(WORDS)] for i in range(top_k)]
        candidates = [
            {
                "token": token,
                "token_id": 100 + n,
                "score": score,
                "sequence": text[: match.start()] + token + text[match.end() :],
            }
            for token, score in zip(tokens, scores, strict=True)
        ]
        masks.append({"start": match.start(), "end": match.end(), "candidates": candidates})
    words = body.get("lexicon", ["好" * len(masks), "美" * len(masks)])
    together = [fill_all(text, word) for word in words[: body.get("alternatives", 0)]]
    answer = {"text": text, "sequence": MASK.sub("好", text), "masks": masks, "truncated": False}
    return {**answer, "alternatives": together, "converted": "氣" in text}


def fill_all(text: str, word: str) -> Answer:
    """One character of `word` a mask."""
    characters = iter(word)
    sequence = MASK.sub(lambda _: next(characters), text)
    return {"tokens": list(word), "score": 0.25, "sequence": sequence}


def zero_shot(body: Answer, text: str) -> Answer:
    labels = sorted(body["candidate_labels"], key=lambda label: label not in text)
    scores = [0.5 ** (i + 1) for i in range(len(labels))]
    return {
        "text": text,
        "labels": labels,
        "scores": scores,
        "multi_label": body["multi_label"],
        "truncated": len(text) > 100,
    }


def classify(body: Answer, text: str) -> Answer:
    labels = ["负面", "正面"] if "差" in text else ["正面", "负面"]
    return {
        "text": text,
        "label": labels[0],
        "score": 0.93,
        "labels": labels,
        "scores": [0.93, 0.07],
    }


def similarity(body: Answer, text: str) -> Answer:
    if "texts" in body:
        ranking = [
            {"index": i, "text": other, "score": len(set(text) & set(other)) / len(set(text))}
            for i, other in enumerate(body["texts"])
        ]
        ranking.sort(key=lambda ranked: -ranked["score"])
        return {"text": text, "ranking": ranking}
    return {"text": text, "text_pair": body["text_pair"], "label": "相似", "score": 0.87}


NAMES = {"北京": "LOC", "王小明": "PER", "华为公司": "ORG", "深圳": "LOC"}


def entities(body: Answer, text: str) -> Answer:
    found = [
        {"label": label, "text": name, "start": m.start(), "end": m.end(), "score": 0.97}
        for name, label in NAMES.items()
        for m in re.finditer(name, text)
    ]
    return {"text": text, "entities": sorted(found, key=lambda e: e["start"])}


def score(body: Answer, text: str) -> Answer:
    tokens = [
        {"token": c, "start": i, "end": i + 1, "log_prob": -6.0 if c == "汽" else -0.4}
        for i, c in enumerate(text)
    ]
    return {"text": text, "log_likelihood": -9.0, "perplexity": 7.42, "tokens": tokens}


MISTAKES = {"汽": ("气", 0.9), "在说": ("再说", 0.3)}


def check(body: Answer, text: str) -> Answer:
    kept = {i for w in body.get("keep", []) for m in re.finditer(w, text) for i in range(*m.span())}
    suspects = []
    for wrong, (right, confidence) in MISTAKES.items():
        candidates = [
            {"token": right, "score": confidence, "sequence": ""},
            {"token": "色" * len(wrong), "score": 0.02, "sequence": ""},
        ]
        suspects += [
            {
                "text": wrong,
                "start": m.start(),
                "end": m.end(),
                "score": 0.001,
                "candidates": candidates,
                "reason": "同音",
                "confidence": confidence,
                "changed": confidence > 0.5,
            }
            for m in re.finditer(wrong, text)
            if m.start() not in kept
        ]
    suspects.sort(key=lambda suspect: int(str(suspect["start"])))
    corrected = text.replace("汽", "气")
    return {"text": text, "corrected": corrected, "suspects": suspects, "script": "simplified"}


def rewrite(body: Answer, text: str) -> Answer:
    return {"text": text, "generated_text": text[::-1]}


def exercise(body: Answer, text: str) -> Answer:
    """棵 is the only word that is blanked."""
    choices = ["张", "棵", "条", "匹"][: body.get("choices", 4)] if body["choices"] > 1 else []
    items = [
        {"number": 1, "start": m.start(), "end": m.end(), "kind": "measures", "answer": "棵",
         "choices": choices, "probability": 0.9}
        for m in list(re.finditer("棵", text))[:1]
    ]  # fmt: skip
    return {"text": text, "blanked": text.replace("棵", "（1）____", 1), "items": items}


def search(body: Answer, text: str) -> Answer:
    """The rows that share most characters with the text."""
    share = {one: len(set(text) & set(one)) / len(set(text)) for one in FAQ}
    hits = [
        {"id": i, "text": one, "score": share[one], "words": share[one] / 4, "same": share[one],
         "row": {"问题": one, "答案": FAQ[one]}}
        for i, one in enumerate(sorted(FAQ, key=share.__getitem__, reverse=True))
    ]  # fmt: skip
    return {"text": text, "hits": hits[: body["top_k"]]}


FAQ = {"如何修改密码？": "在设置里改。", "怎样申请退款？": "在订单里点退款。"}

TASKS = {
    "fill-mask": fill_mask,
    "zero-shot-classification": zero_shot,
    "text-classification": classify,
    "sentence-similarity": similarity,
    "token-classification": entities,
    "score": score,
    "check": check,
    "text2text-generation": rewrite,
    "exercise": exercise,
    "search": search,
}
