"""The command line. `main()` is the console script, `app` the typer application.

Exit status: 0 done, 1 failed, 2 bad usage or input, 130 interrupted. Commands import the rest of
the package inside their bodies, so that `qingyu --help` costs nothing but the parser.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from qingyu import __version__
from qingyu.cli import (
    batch,
    build,
    check,
    classify,
    completion,
    console,
    doctor,
    embed,
    exercise,
    fill,
    models,
    ner,
    phrases,
    plan,
    profile,
    score,
    search,
    serve,
    similar,
    start,
    summaries,
    teach,
    text2text,
    zero_shot,
)
from qingyu.errors import QingyuError

__all__ = ["app", "main", "run"]

app = typer.Typer(
    name=completion.NAME,
    cls=summaries.SummaryGroup,
    help="轻语：在普通 CPU 上理解中文 / Chinese language understanding on ordinary CPUs.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("fill")(fill.fill)
app.command("score")(score.score)
app.command("check")(check.check)
app.command("zero-shot")(zero_shot.zero_shot)
app.command("classify")(classify.classify)
app.command("similar")(similar.similar)
app.command("ner")(ner.ner)
app.command("embed")(embed.embed)
app.command("search")(search.search)
app.command("teach")(teach.teach)
app.command("text2text")(text2text.text2text)
app.command("exercise")(exercise.exercise)
app.command("batch")(batch.batch)
app.command("serve", cls=serve.ServeCommand, help=serve.HELP, context_settings=serve.PASS_ON)(
    serve.serve
)
app.command("build")(build.build)
app.command("profile")(profile.profile)
app.command("plan")(plan.plan)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(phrases.app, name="phrases")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qingyu {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="版本 / Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="出错时给出完整回溯 / Show tracebacks.")
    ] = False,
    _install: completion.Install = False,
    _show: completion.Show = False,
) -> None:
    context.obj["debug"] = debug
    if context.invoked_subcommand is None:
        typer.echo(start.start())


# click's class, or the copy of it that typer carries: the base of all mistakes in a command line.
_UsageError = typer.BadParameter.__mro__[1]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit status. Nothing escapes as a traceback."""
    state = {"debug": False}
    command = typer.main.get_command(app)
    try:
        with command.make_context("qingyu", list(arguments), obj=state) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as finished:
        return finished.exit_code
    except BrokenPipeError:
        console.abandon_stdout()
        return console.OK
    except (KeyboardInterrupt, typer.Abort):
        return console.INTERRUPTED
    except QingyuError as error:
        if state["debug"]:
            traceback.print_exc()
        console.complain(error.zh, error.en)
        return console.exit_status(error)
    except Exception as error:  # noqa: BLE001 the last resort: a person gets a line, not a stack
        return _report(error, debug=state["debug"])
    return console.OK


def _report(error: Exception, *, debug: bool) -> int:
    if isinstance(error, _UsageError):
        hint = getattr(getattr(error, "ctx", None), "command_path", "qingyu")
        named = _named(error)
        of = f"（{named}）" if named else ""
        wrong: Any = error
        console.complain(f"用法有误{of}，请看 {hint} --help", wrong.format_message())
        return console.BAD_INPUT
    if debug:
        traceback.print_exc()
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    console.complain(
        f"意外的错误：{what}。请用 qingyu --debug 重试，连同 qingyu doctor 的输出一起反馈。",
        f"unexpected {what}. Run again as qingyu --debug, report it with what qingyu doctor says.",
    )
    return console.FAILURE


def _named(error: Any) -> str:
    """The option or argument that a usage error is about, as it is written; "" where it is about
    none."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "option_name", None) or "")
    options = [name for name in parameter.opts if name.startswith("-")]
    return "/".join(options) or str(parameter.metavar or parameter.name.upper())


def main() -> None:
    """The `qingyu` command: `run` on this process's arguments and streams."""
    console.prepare_streams()
    completion.answer(app)
    sys.exit(run(sys.argv[1:]))
