"""`qingyu search`: find rows of a table by words and by meaning."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.table import read_table
from qingyu.cli.texts import AsJson, ModelName, Threads, draw_bars, draw_text
from qingyu.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import SearchResult

BUILD, ADD, REMOVE = "build", "add", "remove"


def search(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="INDEX QUERY…",
            help="索引与问题；或 build 表格、add 索引 表格、remove 索引 编号… / An index and "
            "queries; or build FILE, add INDEX FILE, remove INDEX ID…",
        ),
    ],
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="build：写到哪个目录 / Folder to write.")
    ] = None,
    text: Annotated[
        str, typer.Option("--text", help="build：检索哪一列 / Column that is searched.")
    ] = "text",
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="给几条 / How many.")] = 5,
    rerank: Annotated[
        bool, typer.Option("--rerank/--no-rerank", help="用句对头重排 / Compare as pairs.")
    ] = True,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """检索：按词和意思在表格里找 / Find rows of a table by words and meaning.

    例 / Example: qingyu search build FAQ.xlsx --text 问题 --out faq.index
    qingyu search faq.index "怎么把会员停掉"
    """
    import qingyu
    from qingyu.model import searching
    from qingyu.search.index import Index, removed

    what, *rest = words
    if what == REMOVE and len(rest) > 1 and all(one.isdecimal() for one in rest[1:]):
        count = removed(Index(rest[0]), map(int, rest[1:]))
        console.note(f"删去 {count} 行", f"{count} rows removed")
        return
    building = what == BUILD and len(rest) == 1 and out is not None
    adding = what == ADD and len(rest) == 2
    if not rest or (what in (BUILD, ADD, REMOVE) and not (building or adding)):
        raise InputError(
            "用法：search 索引 问题；search build 表格 --out 索引；search add 索引 表格；"
            "search remove 索引 编号…",
            "Say search INDEX QUERY; search build FILE --out INDEX; search add INDEX FILE; "
            "search remove INDEX ID…",
        )
    with closing(qingyu.load(model, threads=threads)) as loaded:
        if building:
            made = loaded.build_index(read_table(Path(rest[0]), [text]), str(out), text=text)
            console.note(f"{len(made)} 行，已写入 {out}", f"{len(made)} rows, written to {out}")
        elif adding:
            index = Index(rest[0])
            made = searching.add_rows(loaded, index, read_table(Path(rest[1]), [index.text_column]))
            console.note(f"现有 {len(made)} 行", f"{len(made)} rows now")
        else:
            index = Index(what)
            for query in rest:
                answer = loaded.search(index, query, top_k=top_k, rerank=rerank)
                if as_json:
                    console.print_json(answer.to_dict())
                else:
                    draw(console.rich_console(), answer)


def draw(screen: Console, result: SearchResult) -> None:
    """Rows found, with their other columns beneath."""
    draw_text(screen, result.text)
    for hit in result.hits:
        draw_bars(screen, [(hit.text, max(0.0, min(1.0, hit.score)))])
        others = [f"{name}：{value}" for name, value in hit.row if value != hit.text]
        if others:
            screen.print(f"      #{hit.id}  {'  '.join(others)}")
