"""`qingyu teach`: a head for labels of one's own, from rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.texts import AsJson, ModelName, Threads
from qingyu.errors import InputError

if TYPE_CHECKING:
    from qingyu.teach.teacher import Lesson

SHOWN = 5  # confusions


def teach(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="表格：CSV、TSV、XLSX、JSONL… / A table of rows.")
    ],
    out: Annotated[str, typer.Option("--out", "-o", help="写到哪个目录 / Folder to write.")],
    text: Annotated[str, typer.Option("--text", help="文本列 / Column of texts.")] = "text",
    label: Annotated[str, typer.Option("--label", help="标签列 / Column of labels.")] = "label",
    add_to: Annotated[
        str | None,
        typer.Option("--add-to", help="在这个头所学之上再学 / Add to what a head knows."),
    ] = None,
    names: Annotated[
        bool, typer.Option("--names/--no-names", help="标签名可否帮忙 / Whether names may help.")
    ] = True,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """教它：用几行到几万行例子，几秒钟学会自己的标签 / Labels of your own from examples.

    例 / Example: qingyu teach rows.csv --text 留言 --label 类别 --out my-head
    """
    from contextlib import closing

    import qingyu

    texts, labels = read_rows(Path(file), text, label)
    with closing(qingyu.load(model, threads=threads)) as loaded:
        lesson = loaded.teach(texts, labels, name=Path(out).name, names=names, add_to=add_to)
    if as_json:
        console.print_json({**lesson.head.about, "notes": [en for _, en in lesson.notes]})
    else:
        tell(lesson)
    lesson.save(out)
    console.note(f"已写入 {out}；用 qingyu classify --head {out}", f"written to {out}")


def tell(lesson: Lesson) -> None:
    """What was learnt and how well, before anything is written."""
    score = lesson.score
    echo = typer.echo
    echo(f"{score.rows} 行，{len(lesson.head.labels)} 个标签 / rows, labels")
    echo(
        f"交叉验证准确率 / cross-validated accuracy: {score.accuracy:.1%} "
        f"(95 %: {score.low:.1%} – {score.high:.1%})；macro F1 {score.macro_f1:.3f}"
    )
    if score.confusions:
        echo("常混淆 / mixed up:")
        for one in score.confusions[:SHOWN]:
            echo(f"  {one.label} → {one.taken_for}: {one.rows}")
    if lesson.head.bar is not None:
        echo(f"“不确定”的门槛 / uncertain below: {lesson.head.bar:.2f}")
    for zh, en in lesson.notes:
        console.note(zh, en)


def read_rows(path: Path, text: str, label: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a file; rows that lack one are told and left out. Raises InputError and
    what reading a file raises."""
    from qingyu.jobs.readers import open_reader
    from qingyu.jobs.rows import BadRow
    from qingyu.jobs.sources import Source, format_of

    if not path.is_file():
        raise InputError(f"没有文件 {path}。", f"There is no file {path}.")
    reader = open_reader(Source(path, *format_of(path)))
    texts, labels, left = [], [], []
    try:
        for column in (text, label):
            if reader.columns and column not in reader.columns:
                there = "、".join(reader.columns)
                raise InputError(
                    f"{path} 没有「{column}」列；有：{there}。用 --text 与 --label 指明。",
                    f"{path} has no column {column}; there are: {there}. Say --text and --label.",
                )
        for row in reader:
            if isinstance(row, BadRow):
                left.append(row.line)
                continue
            said, named = (str(row.cells.get(one) or "").strip() for one in (text, label))
            if said and named:
                texts.append(said)
                labels.append(named)
            else:
                left.append(row.line)
    finally:
        reader.close()
    if left:
        console.note(
            f"略过 {len(left)} 行（缺文本或标签），首先是第 {left[0]} 行",
            f"{len(left)} rows without a text or a label left out, the first is {left[0]}",
        )
    if not texts:
        raise InputError(f"{path} 中没有可学的行。", f"{path} has no row to learn from.")
    return texts, labels
