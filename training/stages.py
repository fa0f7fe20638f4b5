"""A recipe of several commands that goes on where it was broken off.

Each stage is one `python -m MODULE ...`. When it has ended well a file named after it in OUT/done
says so, and the next run of the recipe leaves it out; OUT/logs keeps what it printed. A stage that
was broken off and has left a state is told to `--resume`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import RecipeError

LAST_LINES = 12


@dataclass(frozen=True)
class Stage:
    """A command of a recipe.

    name:  told and used for files; the command with other arguments is another stage
    words: the module and its arguments
    state: what the command resumes from, where it can
    """

    name: str
    words: tuple[str, ...]
    state: Path | None = None

    def command(self) -> list[str]:
        goes_on = self.state is not None and self.state.is_file()
        return [sys.executable, "-m", *self.words, *(["--resume"] if goes_on else [])]


def run_stages(
    stages: Sequence[Stage], out: Path, ended: Callable[[Stage], object] | None = None
) -> None:
    """Run what is not done yet, in order; `ended` is called after each. Raises RecipeError with the
    last lines of the first command that fails.
    """
    (out / "done").mkdir(parents=True, exist_ok=True)
    (out / "logs").mkdir(exist_ok=True)
    for stage in stages:
        done = out / "done" / stage.name
        told = " ".join(stage.words)
        if done.is_file() and done.read_text("utf-8") == told:
            print(f"{stage.name}: done before", flush=True)
            continue
        began = time.monotonic()
        log = out / "logs" / f"{stage.name}.log"
        with log.open("a", encoding="utf-8") as file:
            code = subprocess.run(stage.command(), stdout=file, stderr=file, check=False).returncode
        if code:
            last = log.read_text("utf-8", errors="replace").splitlines()[-LAST_LINES:]
            raise RecipeError(
                f"{stage.name} ended with {code} ({log}); the same command goes on from there:\n"
                + "\n".join(last)
            )
        if ended is not None:
            ended(stage)
        done.write_text(told, "utf-8")
        print(f"{stage.name}: {time.monotonic() - began:.0f} s", flush=True)
