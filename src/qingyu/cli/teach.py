"""`qingyu teach`: a head for labels of one's own, from rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.table import read_table
from qingyu.cli.texts import AsJson, ModelName, Threads

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

    rows = read_table(Path(file), [text, label])
    texts, labels = ([str(row[column]) for row in rows] for column in (text, label))
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
