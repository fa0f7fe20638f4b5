"""Shared by all commands: streams, errors in both languages, exit statuses."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from qingyu import errors

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200  # columns a table may take where no terminal limits it

OK, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

# Usage and input errors; every other error is a failure while running.
BAD_INPUT_ERRORS = (
    errors.InputError,
    errors.CheckpointError,
    errors.ModelNotFoundError,
    errors.SettingsError,
    errors.TaskNotSupportedError,
)


def exit_status(error: errors.QingyuError) -> int:
    return BAD_INPUT if isinstance(error, BAD_INPUT_ERRORS) else FAILURE


def complain(zh: str, en: str) -> None:
    """Say on standard error, in both languages, what went wrong."""
    typer.secho(f"错误：{zh}", fg="red", err=True)
    typer.secho(f"Error: {en}", fg="red", err=True)


def note(zh: str, en: str) -> None:
    """Tell a person something that is no part of the answer, hence on standard error."""
    typer.secho(f"{zh} / {en}", dim=True, err=True)


def print_json(value: Any) -> None:
    """One line of JSON on standard output, Chinese kept readable."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def rich_console(*, stderr: bool = False) -> Console:
    """A rich console that takes text as it is; rich is imported here, when something is drawn."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(
        file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def prepare_streams() -> None:
    """Speak UTF-8 whatever the locale; a terminal that cannot show a character gets a '?'."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="replace")


def abandon_stdout() -> None:
    """Whoever read our output has left: nothing more is written, not even by the last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
