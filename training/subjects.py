"""What is evaluated: a built bundle through Qingyu's public API, or a raw checkpoint through torch.

Both answer the same five questions, so that a figure before and after the build means the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from training.data import token_id
from training.errors import RecipeError

TOPIC = "这段话说的是{}。"
BATCH = 32


class Subject(Protocol):
    """`fill`: the k likeliest tokens at the one [MASK] of each text; where the subject is `joint`,
    of several masks the k likeliest fillings. The others answer label names.

    `tags` gives one BIO tag for each character of each text. A head that is not there is not in
    `heads`. A text may have `places` tokens.
    """

    heads: tuple[str, ...]
    places: float
    joint: bool

    def fill(self, texts: Sequence[str], k: int) -> list[list[str]]: ...

    def classify(self, texts: Sequence[str]) -> list[str]: ...

    def pairs(self, head: str, first: Sequence[str], second: Sequence[str]) -> list[str]: ...

    def zero_shot(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]: ...

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]: ...


def open_subject(folder: Path) -> tuple[Subject, Tokenizer]:
    """A bundle has manifest.json, a checkpoint config.json; both have tokenizer.json."""
    if not (folder / "tokenizer.json").is_file():
        raise RecipeError(f"{folder}: neither a bundle nor a checkpoint, tokenizer.json is missing")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if (folder / "manifest.json").is_file():
        return BundleSubject(folder), tokenizer
    return CheckpointSubject(folder, tokenizer), tokenizer


def batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


class BundleSubject:
    """A bundle through `qingyu.load`, which reads a text of any length in windows."""

    places = math.inf
    joint = True

    def __init__(self, folder: Path) -> None:
        import qingyu

        self.model = qingyu.load(folder)
        self.heads = tuple(self.model.manifest.heads)

    def fill(self, texts: Sequence[str], k: int) -> list[list[str]]:
        single = [text for text in texts if text.count("[MASK]") == 1]
        several = [text for text in texts if text.count("[MASK]") > 1]
        words = {
            result.text: [found.token for found in result.masks[0].candidates]
            for result in self.model.fill_mask(single, top_k=k)
        }
        for result in self.model.fill_mask(several, alternatives=k):
            words[result.text] = ["".join(found.tokens) for found in result.alternatives]
        return [words[text] for text in texts]

    def classify(self, texts: Sequence[str]) -> list[str]:
        return [result.label for result in self.model.classify(list(texts), head="sentiment")]

    def pairs(self, head: str, first: Sequence[str], second: Sequence[str]) -> list[str]:
        task = self.model.steps
        asked = [
            task("text-classification", a, b, head=head) for a, b in zip(first, second, strict=True)
        ]
        return [result.label for result in self.model.complete_all(asked)]

    def zero_shot(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
        return [result.labels[0] for result in self.model.zero_shot(list(texts), list(labels))]

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        tagged = []
        results = self.model.token_classification(["".join(text) for text in texts])
        for text, result in zip(texts, results, strict=True):
            tags = ["O"] * len(text)
            for entity in result.entities:
                tags[entity.start] = f"B-{entity.label}"
                for at in range(entity.start + 1, entity.end):
                    tags[at] = f"I-{entity.label}"
            tagged.append(tags)
        return tagged


class CheckpointSubject:
    """A checkpoint directory through torch, FP32 on the CPU or CUDA."""

    joint = False

    def __init__(self, folder: Path, tokenizer: Tokenizer, length: int = 128) -> None:
        from training import export
        from training.loop import pick_device

        self.device = pick_device()
        self.model = export.load(folder).to(self.device).eval()
        self.tokenizer = tokenizer
        self.length = length
        self.heads = tuple(self.model.specs)
        self.places = self.model.config.max_position_embeddings
        self.tokens = {i: token for token, i in tokenizer.get_vocab().items()}

    def fill(self, texts: Sequence[str], k: int) -> list[list[str]]:
        import torch

        mask_id = token_id(self.tokenizer, "[MASK]")
        found: list[list[str]] = []
        for batch in batches(texts):
            encodings = self.tokenizer.encode_batch(list(batch))
            longest = max(len(e.ids) for e in encodings)
            ids = torch.zeros(len(batch), longest, dtype=torch.int64, device=self.device)
            doc = torch.zeros_like(ids)
            for row, encoding in enumerate(encodings):
                ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
                doc[row, : len(encoding.ids)] = 1
            pos = torch.arange(longest, device=self.device).expand_as(ids)
            at = torch.tensor([e.ids.index(mask_id) for e in encodings], device=self.device)
            with torch.inference_mode():
                hidden = self.model.bert(ids, doc, pos, torch.zeros_like(ids))
                logits = self.model.mlm_logits(hidden[torch.arange(len(batch)), at])
            found += [[self.tokens[i] for i in row] for row in logits.topk(k).indices.tolist()]
        return found

    def _head(self, head: str, examples: Sequence[Any]) -> Any:
        """Logits of a head, and the mask of real tokens, for examples of the recipe."""
        import torch

        from training.finetune import collate

        for batch in batches(examples):
            padded, labels = collate(self.tokenizer, batch, self.length, self.device)
            with torch.inference_mode():
                yield self.model.head_logits(head, *padded).cpu(), labels.cpu()

    def _labels(self, head: str, first: Sequence[str], second: Sequence[str | None]) -> list[str]:
        from training.labelled import Example

        examples = [Example(head, a, b, 0) for a, b in zip(first, second, strict=True)]
        names = self.model.specs[head].labels
        return [names[i] for logits, _ in self._head(head, examples) for i in logits.argmax(-1)]

    def classify(self, texts: Sequence[str]) -> list[str]:
        return self._labels("sentiment", texts, [None] * len(texts))

    def pairs(self, head: str, first: Sequence[str], second: Sequence[str]) -> list[str]:
        return self._labels(head, first, second)

    def zero_shot(self, texts: Sequence[str], labels: Sequence[str]) -> list[str]:
        import torch

        from training.labelled import Example

        asked = [Example("nli", text, TOPIC.format(name), 0) for text in texts for name in labels]
        logits = torch.cat([part for part, _ in self._head("nli", asked)])
        entailed = logits[:, self.model.specs["nli"].labels.index("entailment")]
        return [labels[i] for i in entailed.view(len(texts), len(labels)).argmax(1).tolist()]

    def tags(self, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        from training.labelled import Example

        names = self.model.specs["ner"].labels
        asked = [Example("ner", tuple(text), None, (0,) * len(text)) for text in texts]
        found = []
        for logits, labels in self._head("ner", asked):
            for row, known in zip(logits.argmax(-1), labels, strict=True):
                found.append([names[i] for i in row[known >= 0].tolist()])
        # A text longer than the window is untagged past its end.
        return [tags + ["O"] * (len(t) - len(tags)) for tags, t in zip(found, texts, strict=True)]
