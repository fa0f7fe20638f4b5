"""Tokens that a checkpoint adds to its vocabulary or sets apart in it, beside the older forms.

`tokenizer.json` holds them itself. Beside `vocab.txt`, a SentencePiece model or BPE files they
stand in up to three files: `added_tokens.json` (token -> id), `special_tokens_map.json` (role ->
token) and `tokenizer_config.json` (roles again, and `added_tokens_decoder`, id -> token).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import AddedToken

from qingyu.errors import CheckpointError

ROLES = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
MORE = "additional_special_tokens"
ADDED = "added_tokens.json"
SPECIAL = "special_tokens_map.json"
SETTINGS = "tokenizer_config.json"
DECODER = "added_tokens_decoder"
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")


@dataclass(frozen=True)
class Added:
    """One token and how it is looked for; `id` None where only its role is told."""

    content: str
    id: int | None = None
    special: bool = False
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False

    def token(self) -> AddedToken:
        return AddedToken(
            self.content,
            lstrip=self.lstrip,
            rstrip=self.rstrip,
            single_word=self.single_word,
            normalized=self.normalized,
            special=self.special,
        )


def settings_of(folder: Path) -> dict[str, Any]:
    """`tokenizer_config.json`, with the roles that only `special_tokens_map.json` tells."""
    return {**json_object(folder / SPECIAL), **json_object(folder / SETTINGS)}


def role(settings: dict[str, Any], name: str, default: str) -> str:
    """The token of a role such as `unk_token`, given as a string or as an object."""
    given = _content(settings.get(name))
    return given or default


def add_tokens(tokenizer: tokenizers.Tokenizer, folder: Path) -> None:
    """Give `tokenizer` every token that the files of `folder` add, by the ids they give.

    Raises CheckpointError where a token cannot have the id it should have: all ids after it would
    be others than those the model was trained with.
    """
    added = _collected(folder)
    known = {one.content for one in added if tokenizer.token_to_id(one.content) is not None}
    inside = [one for one in added if one.content in known]
    new = sorted(
        (one for one in added if one.content not in known and one.id is not None),
        key=lambda one: one.id or 0,
    )
    for one in (*inside, *new):
        tokenizer.add_special_tokens([one.token()]) if one.special else tokenizer.add_tokens(
            [one.token()]
        )
        if one.id is not None and tokenizer.token_to_id(one.content) != one.id:
            raise CheckpointError(
                f"{folder} 的附加词 {one.content} 应是 {one.id} 号，按词表排是 "
                f"{tokenizer.token_to_id(one.content)} 号：{ADDED} 与词表不配套。",
                f"{folder} gives the added token {one.content} the id {one.id}, but the vocabulary "
                f"gives it {tokenizer.token_to_id(one.content)}: {ADDED} belongs to another one.",
            )


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, empty where there is no file. Raises ValueError and OSError."""
    if not path.is_file():
        return {}
    values = json.loads(path.read_text("utf-8-sig"))
    return values if isinstance(values, dict) else {}


def _collected(folder: Path) -> list[Added]:
    """Every token told of, once, the most exact source first."""
    settings = json_object(folder / SETTINGS)
    roles = json_object(folder / SPECIAL)
    by_text: dict[str, Added] = {}
    for number, info in settings.get(DECODER, {}).items():
        flags = {flag: bool(info.get(flag, False)) for flag in FLAGS}
        one = Added(info["content"], int(number), bool(info.get("special", False)), **flags)
        by_text[one.content] = one
    for content, number in json_object(folder / ADDED).items():
        by_text.setdefault(content, Added(content, int(number), normalized=True))
    for place in (settings, roles):
        for name in ROLES:
            _set_apart(by_text, place.get(name))
        for token in place.get(MORE) or ():
            _set_apart(by_text, token)
    return list(by_text.values())


def _set_apart(added: dict[str, Added], given: Any) -> None:
    content = _content(given)
    if not content:
        return
    one = added.get(content, Added(content))
    flags: dict[str, Any] = {
        flag: bool(given[flag]) for flag in FLAGS if isinstance(given, dict) and flag in given
    }
    added[content] = replace(one, special=True, **{"normalized": False, **flags})


def _content(given: Any) -> str:
    if isinstance(given, dict):
        given = given.get("content")
    return given if isinstance(given, str) else ""
