"""`qingyu phrases`: memories of phrases, made of one's own text in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.summaries import SummaryGroup
from qingyu.cli.texts import AsJson, ModelName, Threads
from qingyu.errors import InputError

app = typer.Typer(
    cls=SummaryGroup,
    help="短语记忆：让模型立刻记住你的词句 / Phrase memories: the model knows your text at once.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

ENTRY_BYTES = 4.5
MEGABYTE = 1_000_000
LONGEST = 1 << 16  # tokens of a text that is looked up

Memory = Annotated[Path, typer.Argument(help="短语记忆文件 / A phrase memory.")]
Column = Annotated[
    str | None, typer.Option("--column", "-c", help="表格里读哪一列 / Which column of tables.")
]


@app.callback()
def phrases(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def build(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="文件、目录或通配符（txt、jsonl、csv 等，可压缩）；"
            "文件后写 *3 则计三次 / Files, folders or patterns; FILE*3 counts three times.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="写到哪里 / The memory to write.")],
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            help="词条表：每行一个词语或句子，要整条记住 / Lists: a phrase a line, known by heart.",
        ),
    ] = None,
    column: Column = None,
    max_mb: Annotated[
        float, typer.Option("--max-mb", min=0.01, help="最大多少 MB / Megabytes at most.")
    ] = 18.0,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
) -> None:
    """统计文本，写成短语记忆 / Count texts into a phrase memory.

    例 / Example: qingyu phrases build 手册.txt --list 术语.txt --out my.phrases
    """
    from rich.progress import Progress

    from qingyu import machine
    from qingyu.phrases.build import Counting
    from qingyu.phrases.build import build as count
    from qingyu.phrases.spool import Spool
    from qingyu.phrases.write import write

    tokenizer = _tokenizer(model)
    sources = [(*_weighed(one), False) for one in texts]
    sources += [(*_weighed(one), True) for one in lists or ()]
    laid = [(_files(name), weight, known) for name, weight, known in sources]
    how = Counting(
        most=int(max_mb * MEGABYTE / ENTRY_BYTES),
        threads=threads or machine.available_cpus(),
    )
    with (
        Progress(console=console.rich_console(stderr=True), transient=True) as bar,
        Spool(tokenizer) as spool,
    ):
        reading = bar.add_task("读取 / reading", total=None)
        for files, weight, known in laid:
            spool.add(_texts(files, column), weight, phrases=known)
        bar.update(reading, total=1, completed=1)
        counting = bar.add_task("统计 / counting", total=1.0)
        tables = count(spool, how, lambda done: bar.update(counting, completed=done))
        write(out, tables, tokenizer)
        told = (spool.texts, spool.characters, sum(len(table.entries) for table in tables))
    size = out.stat().st_size / MEGABYTE
    console.note(
        f"{told[0]} 条文本，{told[1]} 字 → {out}：{told[2]} 条记忆，{size:.2f} MB",
        f"{told[0]} texts, {told[1]} characters -> {told[2]} entries, {size:.2f} MB",
    )


@app.command()
def info(memory: Memory, as_json: AsJson = False) -> None:
    """一份记忆里有什么 / What a memory holds."""
    from qingyu.text.phrases import Phrases

    found = Phrases(memory)
    told = {
        "file": str(memory),
        "bytes": found.bytes,
        "entries": len(found),
        "vocabulary": found.vocabulary,
        "tables": [{"entries": len(table.entries), **table.about} for table in found.tables],
    }
    if as_json:
        console.print_json(told)
        return
    screen = console.rich_console()
    screen.print(f"{memory}  {found.bytes / MEGABYTE:.2f} MB")
    for number, table in enumerate(found.tables, 1):
        about = "，".join(f"{key} {value}" for key, value in table.about.items())
        screen.print(f"  表 {number} / table {number}: {len(table.entries)} 条 / entries; {about}")


@app.command()
def merge(
    memories: Annotated[list[Path], typer.Argument(help="要合并的记忆 / Memories to join.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="写到哪里 / The memory to write.")],
) -> None:
    """合并几份记忆，答案与同时使用它们一样 / Join memories; answers are as with all together."""
    from qingyu.phrases.write import merge as join
    from qingyu.text.phrases import Phrases

    join(out, [Phrases(path) for path in memories])


@app.command()
def lookup(
    memory: Memory,
    text: Annotated[str, typer.Argument(help="含 [MASK] 的文本 / Text with [MASK].")],
    model: ModelName = bundle.DEFAULT,
    as_json: AsJson = False,
) -> None:
    """每个 [MASK] 处，记忆里有什么 / What a memory has for each [MASK]."""
    from qingyu.tasks.context import Context
    from qingyu.tasks.parts.blanks import MASK, find_blanks
    from qingyu.tasks.parts.words import mask_keys
    from qingyu.text.phrases import Phrases, symbols

    tokenizer = _tokenizer(model)
    found = Phrases(memory, tokenizer)
    blanks = find_blanks(Context("", tokenizer, {}, LONGEST), "", text, MASK, "error")
    query = blanks.query(range(len(blanks.masks)), {})
    items = {
        (row + 1, tokenizer.surface(token), size, trust)
        for part in found.recall(mask_keys(symbols(tokenizer), [query]))
        for row, token, size, trust in zip(
            *(values.tolist() for values in vars(part).values()), strict=True
        )
    }
    screen = console.rich_console()
    for mask, word, size, trust in sorted(
        items, key=lambda one: (one[0], -one[3], -one[2], one[1])
    ):
        if as_json:
            console.print_json({"mask": mask, "token": word, "context": size, "trust": trust})
        else:
            screen.print(
                f"  空 {mask} / mask {mask}: {word}  据前后 {size} 字，可信 {trust}/15 "
                f"/ by {size} neighbours, trust {trust} of 15"
            )


@app.command()
def fit(
    memory: Memory,
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help="没有用来统计的文本 / Text it was not counted from."),
    ],
    column: Column = None,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
) -> None:
    """用留出的文本校准记忆的可信程度 / Fit how far a memory is believed, on held-out text."""
    from rich.progress import Progress

    import qingyu
    from qingyu.build.phrases_gate import refit
    from qingyu.text.phrases import Phrases

    files = [file for one in texts for file in _files(one)]
    loaded = qingyu.load(model, threads=threads)
    with Progress(console=console.rich_console(stderr=True), transient=True) as bar:
        task = bar.add_task("校准 / fitting", total=1.0)
        before, after = refit(
            loaded,
            Phrases(memory, loaded.tokenizer),
            list(_texts(files, column)),
            lambda done: bar.update(task, completed=done),
        )
    console.note(
        f"每个空平均多得 {before:.4f} → {after:.4f} 奈特",
        f"gain of a mask: {before:.4f} -> {after:.4f} nats",
    )


def _tokenizer(model: str) -> Any:

    from qingyu.text.tokenizer import Tokenizer

    return Tokenizer(bundle.find(model) / bundle.TOKENIZER)


def _weighed(name: str) -> tuple[str, int]:
    """`FILE*3` as (FILE, 3). Raises InputError."""
    head, star, tail = name.rpartition("*")
    if not star or not tail.isdecimal() or Path(name).exists():
        return name, 1
    if not 1 <= int(tail) <= 1000:
        raise InputError(f"{name}：倍数应为 1 到 1000。", f"{name}: times are from 1 to 1000.")
    return head, int(tail)


def _files(wanted: str) -> list[Path]:
    """Raises FileError where there is none."""
    from qingyu.jobs.errors import FileError
    from qingyu.jobs.paths import inputs_of

    _, files = inputs_of(wanted)
    if not files:
        raise FileError(f"{wanted} 中没有可读的文件。", f"There is no file to read in {wanted}.")
    return files


def _texts(files: list[Path], column: str | None) -> Iterator[str]:
    """The texts of files, row by row. Raises FileError and, at the first bad row, InputError."""
    from qingyu.jobs.columns import choose
    from qingyu.jobs.readers import open_reader
    from qingyu.jobs.rows import BadRow
    from qingyu.jobs.sources import Source, format_of

    for path in files:
        reader = open_reader(Source(path, *format_of(path)))
        try:
            inputs = choose(
                "fill-mask", [column if reader.columns != ["text"] else None], reader.columns
            )
            for row in reader:
                if isinstance(row, BadRow):
                    raise InputError(
                        f"{path} 第 {row.line} 行{row.error.zh}",
                        f"{path} line {row.line} {row.error.en}",
                    )
                text = row.cells.get(inputs.names[0])
                if isinstance(text, str) and text.strip():
                    yield text
        finally:
            reader.close()
