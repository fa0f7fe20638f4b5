"""`qingyu exercise`: a sheet of blanks for a class, from a text or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.texts import AsJson, ModelName, PhraseFiles, Texts, Threads, answer_texts

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import ExerciseResult


def exercise(
    texts: Texts = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="挖什么，可写多次：idioms 成语、measures 量词、conjunctions 连词、characters "
            "单字（成语、诗句）/ What to blank; may come again.",
        ),
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option("--word", help="自己要考的词，可写多次 / A word to blank; may come again."),
    ] = None,
    blanks: Annotated[
        int, typer.Option(min=1, max=50, help="每篇最多几个空 / At most so many in a text.")
    ] = 10,
    choices: Annotated[
        int, typer.Option(min=1, max=6, help="每空几个选项，1 为不给 / Choices; 1: none.")
    ] = 4,
    difficulty: Annotated[
        str, typer.Option(help="难度 any、easy、medium、hard / How hard the answers are.")
    ] = "any",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="写成 .docx、.md 或 .txt / Write a .docx, .md or .txt."),
    ] = None,
    model: ModelName = bundle.DEFAULT,
    phrases: PhraseFiles = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """出填空题：挖空、配干扰项、附答案 / Exercises: blanks, wrong choices, a key.

    例 / Example: qingyu exercise 课文.txt --kind idioms --out 练习.docx
    """
    from qingyu.jobs.exercise_sheet import check_ending, write_sheet

    if out is not None:
        check_ending(out)
    made: list[ExerciseResult] = []

    def ask(loaded: Model, batch: list[str]) -> list[ExerciseResult]:
        given: dict[str, Any] = {"blanks": blanks, "choices": choices, "difficulty": difficulty}
        if kinds or words:
            given |= {"kinds": kinds or (), "words": words or ()}
        found: list[ExerciseResult] = loaded.exercise(batch, **given)
        made.extend(found)
        return found

    def draw(screen: Console, result: ExerciseResult) -> None:
        if out is None:
            _draw(screen, result)

    answer_texts(texts, model, threads, as_json, ask, draw, phrases=phrases)
    if not any(one.items for one in made):
        console.note("没有找到可以挖的空", "nothing to blank was found")
    if out is not None:
        write_sheet(out, made)
        count = sum(len(one.items) for one in made)
        console.note(f"已写 {out}，{count} 个空", f"wrote {out}, {count} blanks")


def _draw(screen: Console, result: ExerciseResult) -> None:
    from qingyu.jobs.exercise_sheet import sheet

    for line in sheet([result]):
        screen.print(line)
