"""Panics of the tokenizers library: a regular expression of tokenizer.json that backtracks too far
on a text raises what no `except Exception` sees."""

from __future__ import annotations


def is_panic(error: BaseException) -> bool:
    """Whether the library gave up; its class cannot be imported."""
    return type(error).__name__ == "PanicException"
