"""`qingyu serve`: the HTTP service and the page, with a flag for every setting."""

from __future__ import annotations

from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

# Its flags are the fields of Settings, and those are too slow to import for every other command:
# what is written after `serve`, `--help` too, is passed on to a parser made when it runs.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

OPEN = "open_page"
HOME = ".qingyu"  # where a person's own things are kept, unless they say where

HELP = """启动 HTTP 服务与网页 / Start the HTTP service and the page.

每个选项也可写成环境变量，选项优先：--max-texts 即 QINGYU_MAX_TEXTS。
Each option may be an environment variable instead: --max-texts is QINGYU_MAX_TEXTS.
"""


def serve(context: typer.Context) -> None:
    from qingyu.settings import Settings, is_loopback

    given: dict[str, Any] = {}
    parser = typer.main.get_command(_parser(Settings.model_fields, given))
    with parser.make_context("qingyu serve", list(context.args)) as inner:
        parser.invoke(inner)

    open_page = given.pop(OPEN, False)
    settings = Settings(**given)
    if open_page and settings.data is None and is_loopback(settings.host):
        settings = Settings(**given, data=Path.home() / HOME)

    from qingyu.web.server import serve as run

    run(settings, open_page=open_page)


class ServeCommand(TyperCommand):
    """`serve` as a shell completes it: with the flags of the parser that it passes on to."""

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        from qingyu.settings import Settings

        inner = typer.main.get_command(_parser(Settings.model_fields, {}))
        return inner.shell_complete(ctx, incomplete)


def _parser(fields: dict[str, FieldInfo], given: dict[str, Any]) -> typer.Typer:
    """An application of one command that puts the flags it meets into `given`."""

    def command(**flags: Any) -> None:
        given.update({name: value for name, value in flags.items() if value is not None})

    parameters = [_open_flag(), *(_flag(name, field) for name, field in fields.items())]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command(help=HELP)(command)
    return app


def _open_flag() -> Parameter:
    """What is no setting, since it is for the person at this machine."""
    option = typer.Option(
        "--open",
        help="启动后打开网页；知识库等存在 ~/.qingyu / Open the page in a browser; what is kept "
        "lies in ~/.qingyu.",
    )
    kind: Any = Annotated[bool, option]
    return Parameter(OPEN, Parameter.KEYWORD_ONLY, default=False, annotation=kind)


def _flag(name: str, field: FieldInfo) -> Parameter:
    """A setting as a flag that is None where it was not given; Settings checks its value."""
    switch = field.annotation is bool
    choices = [str(one) for one in get_args(field.annotation) if isinstance(one, str)]
    default = "" if field.default in (None, (), False) else f"  [{field.default}]"
    option = typer.Option(
        f"--{name.replace('_', '-')}",
        help=f"{field.description or ''}{default}".strip(),
        metavar=None if switch else "|".join(choices) or "VALUE",
        show_default=False,
    )
    kind: Any = Annotated[bool | None if switch else str | None, option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind)
