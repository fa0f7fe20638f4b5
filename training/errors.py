"""The one error of the recipe, and how a step tells it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable


class RecipeError(argparse.ArgumentTypeError):
    """The run cannot start as asked; the message says what to change.

    Raised while an option is read it is told by argparse, whose kind of error it therefore is.
    """


def run(main: Callable[[], object]) -> None:
    """Run a step's main as a command: a RecipeError becomes one line and exit status 2."""
    try:
        main()
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
