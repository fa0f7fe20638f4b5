"""Completion by Tab: the options that set it up, and what a shell asks while one types."""

from __future__ import annotations

import os
from typing import Annotated, TypeAlias

import typer

from qingyu.cli import console
from qingyu.errors import InputError

NAME = "qingyu"
ASKED = "_QINGYU_COMPLETE"  # the variable by which a shell asks
SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")  # those that typer has scripts for


def answer(app: typer.Typer) -> None:
    """Where a shell asks what may come next, tell it and end the process."""
    if os.environ.get(ASKED):
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
        app(prog_name=NAME)


def _shell() -> str:
    """The shell that this runs in. Raises InputError where it is none that can complete."""
    from shellingham import ShellDetectionFailure, detect_shell

    try:
        found = detect_shell()[0]
    except ShellDetectionFailure:
        found = ""
    if found not in SHELLS:
        raise InputError(
            f"认不出当前的 shell；能补全的有 {'、'.join(SHELLS)}，请在其中之一里运行。",
            f"Cannot tell which shell this is; run it in one of {', '.join(SHELLS)}.",
        )
    return str(found)


def _install(context: typer.Context, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from typer.completion import install  # type: ignore[attr-defined]

    shell, path = install(shell=_shell(), prog_name=NAME, complete_var=ASKED)
    console.note(
        f"已为 {shell} 装上补全（{path}），重开终端后生效",
        f"{shell} completes from now on ({path}), in terminals opened after this",
    )
    raise typer.Exit


def _show(context: typer.Context, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    typer.echo(get_completion_script(prog_name=NAME, complete_var=ASKED, shell=_shell()))
    raise typer.Exit


Install: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--install-completion",
        help="为当前 shell 装上 Tab 补全 / Let this shell complete commands by Tab.",
        callback=_install,
        is_eager=True,
    ),
]
Show: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--show-completion",
        help="给出补全脚本，自己安装 / Show the script of it, to install by hand.",
        callback=_show,
        is_eager=True,
    ),
]
