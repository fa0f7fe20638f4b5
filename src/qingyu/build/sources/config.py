"""`config.json` of a checkpoint: read, checked, and named by the field's terms."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from qingyu.build.sources.label_schemes import in_scheme
from qingyu.build.sources.mistaken import refuse_stand_in
from qingyu.bundle import Problem
from qingyu.errors import CheckpointError

HEAD_WIDTH = "attention_head_width"  # kept by pruning, which leaves fewer heads of the same width

# BertForTokenClassification, BertCrfForNer, BertBiLstmCrf, BertSoftmaxForNer, BertTagger...
TAGGERS = re.compile(r"ForTokenClassification|C[Rr][Ff]|N[Ee][Rr](?![a-z])|Tagg|SequenceLabel")
NUMBERED = re.compile(r"(?i:label)_\d+")

LARGEST = {
    "vocab_size": 2_000_000,
    "hidden_size": 16_384,
    "num_hidden_layers": 200,
    "num_attention_heads": 256,
    "intermediate_size": 65_536,
    "max_position_embeddings": 65_536,
    "type_vocab_size": 1_024,
    "embedding_size": 16_384,
    "task_type_vocab_size": 1_024,
    "num_hidden_groups": 200,
    "inner_group_num": 200,
    "intra_bottleneck_size": 16_384,
    "num_feedforward_networks": 64,
    "num_decoder_layers": 200,
    "d_kv": 1_024,
    "relative_attention_num_buckets": 4_096,
    "relative_attention_max_distance": 4_096,
}


class Config:
    """The settings of one checkpoint; every getter names the file and the key it misses."""

    def __init__(
        self, path: Path, values: dict[str, Any], keys: Mapping[str, str] | None = None
    ) -> None:
        """`keys`: what a family calls the settings that go by BERT's names here."""
        self.path = path
        self.keys = keys or {}
        self.values = values

    def by(self, keys: Mapping[str, str]) -> Config:
        """The same settings, read by a family's own keys."""
        return Config(self.path, self.values, keys)

    def changed(self, **values: Any) -> Config:
        """The same settings but for these, given by BERT's names."""
        renamed = {self.keys.get(key, key): value for key, value in values.items()}
        return Config(self.path, self.values | renamed, self.keys)

    @classmethod
    def read(cls, path: Path) -> Config:
        """Raises CheckpointError where the file is missing or not a JSON object."""
        try:
            refuse_stand_in(path)
            values = json.loads(path.read_text("utf-8-sig"))
        except OSError as error:
            raise CheckpointError(
                f"无法读取 {path}，模型目录需要 config.json：{error.strerror}",
                f"Cannot read {path}; a checkpoint needs a config.json: {error.strerror}",
            ) from error
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{path} 不是合法的 JSON：{error}", f"{path} is not valid JSON: {error}"
            ) from error
        if not isinstance(values, dict):
            raise CheckpointError(f"{path} 应是 JSON 对象。", f"{path} should hold a JSON object.")
        return cls(path, values)

    @property
    def model_type(self) -> str:
        return self.text("model_type")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or not value:
            raise self._error(key, "应是字符串", "should be a string")
        return value

    def choice(self, key: str, among: Collection[str], default: str) -> str:
        """One of these words."""
        value = self.text(key, default)
        if value not in among:
            names = ", ".join(among)
            raise self._error(key, f"应是 {names} 之一", f"should be one of {names}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self._error(key, "应是 true 或 false", "should be true or false")
        return value

    def size(self, key: str, default: int | None = None) -> int:
        """A whole number from 1 to the largest that any real model has."""
        value = self._get(key, default)
        largest = LARGEST[key]
        if type(value) is not int or not 1 <= value <= largest:
            raise self._error(
                key, f"应是 1 到 {largest} 的整数", f"should be a whole number from 1 to {largest}"
            )
        return value

    def whole(self, key: str, default: int, largest: int) -> int:
        """A whole number from 0 to `largest`."""
        value = self._get(key, default)
        if type(value) is not int or not 0 <= value <= largest:
            raise self._error(
                key, f"应是 0 到 {largest} 的整数", f"should be a whole number from 0 to {largest}"
            )
        return value

    def head_width(self, hidden: int, heads: int) -> int:
        """Columns of one attention head: a share of `hidden`, or what pruning left it at."""
        if HEAD_WIDTH in self.values:
            return self.whole(HEAD_WIDTH, 0, hidden)
        if hidden % heads:
            raise self._error(
                "num_attention_heads",
                f"应整除 hidden_size（{hidden}）",
                f"should divide hidden_size, {hidden}, evenly",
            )
        return hidden // heads

    def number(self, key: str, default: float) -> float:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise self._error(key, "应是非负数", "should be a number that is not negative")
        return float(value)

    @property
    def architecture(self) -> str:
        """The class the checkpoint was saved from, such as BertForMaskedLM; "" where unsaid."""
        names = self.values.get("architectures") or [""]
        return str(names[0]) if isinstance(names, list) else ""

    @property
    def token_level(self) -> bool:
        """Whether the checkpoint says that its head labels tokens rather than the whole text."""
        return bool(TAGGERS.search(self.architecture))

    @property
    def sequence_level(self) -> bool:
        """Whether the checkpoint says that its head classifies whole texts."""
        return self.architecture.endswith("ForSequenceClassification")

    @property
    def tag_scheme(self) -> tuple[str, ...] | None:
        """The labels in the form B-PER, where they are of a scheme that marks spans."""
        return in_scheme(self.labels())

    @property
    def problem(self) -> Problem:
        """What the logits of a sequence classifier mean."""
        problem = self.values.get("problem_type")
        if problem == "multi_label_classification":
            return "multi_label"
        if problem == "regression" or (problem is None and len(self.labels()) == 1):
            return "regression"
        return "single_label"

    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the logits, from `id2label`; empty where it is not given."""
        names = self.values.get("id2label")
        if names is None:
            return tuple(f"LABEL_{i}" for i in range(self._label_count()))
        try:
            ordered = sorted((int(index), str(name)) for index, name in names.items())
        except (AttributeError, ValueError) as error:
            raise self._error(
                "id2label", "应把编号对应到标签", "should map indices to labels"
            ) from error
        if [index for index, _ in ordered] != list(range(len(ordered))) or not ordered:
            raise self._error("id2label", "的编号应从 0 连续", "should number its labels from 0 on")
        return tuple(name for _, name in ordered)

    @property
    def unnamed(self) -> bool:
        """Whether the labels are only numbered, LABEL_0 and so on, or not told at all."""
        return all(NUMBERED.fullmatch(label) for label in self.labels())

    def _label_count(self) -> int:
        count = self.values.get("num_labels", 2)
        if type(count) is not int or not 1 <= count <= 100_000:
            raise self._error("num_labels", "应是正整数", "should be a positive whole number")
        return count

    def _get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(self.keys.get(key, key))
        return default if value is None else value

    def _error(self, key: str, zh: str, en: str) -> CheckpointError:
        value = json.dumps(self._get(key), ensure_ascii=False)[:60]
        key = self.keys.get(key, key)
        return CheckpointError(
            f"{self.path} 的 {key} {zh}，实为 {value}。", f"{key} in {self.path} {en}, is {value}."
        )
