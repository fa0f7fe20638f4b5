"""Lists of commands: the summary of each whole, in both languages, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    import typer


class SummaryGroup(TyperGroup):
    """A group whose help cuts no summary; what stands on both sides of " / " has a line each."""

    def format_commands(self, ctx: typer.Context, formatter: typer._click.HelpFormatter) -> None:  # type: ignore[override]
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        shown = {name: one for name, one in commands.items() if one and not one.hidden}
        width = max(map(len, shown), default=0)
        with formatter.section("Commands"):
            for name, command in shown.items():
                summary = command.short_help or (command.help or "").partition("\n\n")[0]
                first, *others = " ".join(summary.split()).split(" / ", 1)
                for label, line in [(name, first), *(("", other) for other in others)]:
                    formatter.write(f"  {label:<{width}}  {line}\n")
