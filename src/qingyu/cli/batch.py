"""`qingyu batch`: a task over every row of a file, a folder or a pattern; resumable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.progress import ProgressLine
from qingyu.cli.texts import DeviceName, GpuMemory, ModelName, Threads, equipped
from qingyu.errors import InputError

if TYPE_CHECKING:
    from qingyu.jobs.columns import Inputs
    from qingyu.jobs.runner import Compute
    from qingyu.jobs.windows import Answering


def batch(
    task: Annotated[
        str,
        typer.Argument(
            help="任务 / Task: "
            "fill score check zero-shot classify similar ner embed text2text search."
        ),
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="CSV TSV JSONL JSON TXT Parquet XLSX（及 .gz .zst）、目录、通配 / File, folder, "
            "glob.",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="文件；多个输入时为目录 / File, or a folder.")
    ],
    column: Annotated[
        str | None, typer.Option("--column", "-c", help="读哪一列，默认 text / Column to read.")
    ] = None,
    pair: Annotated[
        str | None, typer.Option("--pair", help="句对的第二列 / Second column, for pairs.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", "-l", help="零样本的标签 / Labels for zero-shot.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", min=1, help="候选数 / How many candidates.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            help="任务的其他参数，值为 JSON 或文字，可多次 / Another parameter of the task.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="目录中输出的后缀，如 jsonl、csv.gz / Ending of outputs."),
    ] = None,
    encoding: Annotated[
        str, typer.Option("--encoding", help="auto、utf-8、gb18030、big5… / Encoding of the input.")
    ] = "auto",
    header: Annotated[
        bool, typer.Option("--header/--no-header", help="第一行是不是表头 / Is row 1 a header?")
    ] = True,
    header_row: Annotated[
        int, typer.Option("--header-row", min=1, help="表头在第几行 / The row the table begins at.")
    ] = 1,
    sheet: Annotated[
        str, typer.Option("--sheet", help="XLSX 的哪张表：名称或序号 / Sheet, by name or number.")
    ] = "",
    quotes: Annotated[
        bool, typer.Option("--quotes", help="TSV 中引号的含义同 CSV / TSV is quoted as CSV is.")
    ] = False,
    max_errors: Annotated[
        int | None,
        typer.Option("--max-errors", min=0, help="坏行超过此数就停 / Stop beyond this many."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="覆盖已有的输出 / Overwrite existing outputs.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="在 Ray 集群上运行 / Run on a Ray cluster."),
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, help="Ray 上的模型份数，默认每个 CPU 一份 / Models on Ray."),
    ] = None,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    device: DeviceName = None,
    gpu_memory: GpuMemory = None,
) -> None:
    """批量：逐行处理文件，可中断续跑，其余各列原样保留 / A task over the rows of files; resumable.

    例 / Example: qingyu batch fill 题目.csv 答案.csv -c 题干
    """
    from qingyu import bundle
    from qingyu.jobs import runner
    from qingyu.jobs.paths import lay_out
    from qingyu.tasks.registry import FILE_TASKS

    task = next((one.name for one in FILE_TASKS.values() if one.command == task), task)
    parameters = _parameters(labels, top_k, options)
    _check_encoding(encoding)
    layout = lay_out(
        source, output, to=to, encoding=encoding, header=header,
        header_row=header_row, sheet=sheet, quotes=quotes,
    )  # fmt: skip
    manifest = bundle.read_manifest(bundle.find(model))
    job = runner.Job(
        task,
        layout,
        manifest.digest,
        parameters,
        column,
        pair,
        max_errors=max_errors,
        force=force,
    )
    line = ProgressLine()
    line.begin(layout)
    try:
        with _computing(
            task, parameters, model, threads, (device, gpu_memory), ray, slots, line
        ) as compute:
            done = runner.run(job, compute, report=line.show)
    except KeyboardInterrupt:
        line.stopped(layout)
        raise
    line.end(done)
    if done.failed:
        console.note(
            f"{done.failed} 行有误，见 {layout.errors}",
            f"{done.failed} bad rows, see {layout.errors}",
        )
        raise typer.Exit(console.BAD_INPUT)


@contextmanager
def _computing(
    task: str,
    parameters: dict[str, Any],
    model: str,
    threads: int | None,
    where: tuple[str | None, str | None],
    ray: str | None,
    slots: int | None,
    line: ProgressLine,
) -> Iterator[Compute]:
    if ray is not None:
        from qingyu.scale.batch import computing

        with computing(ray, task, parameters, model, slots=slots, threads=threads) as compute:
            yield compute
        return

    import qingyu
    from qingyu.engine.threads import thread_count
    from qingyu.jobs.local import asking
    from qingyu.jobs.runner import locally
    from qingyu.jobs.windows import Answering

    # A batch a thread rather than all threads on a batch: none waits for another.
    lanes = thread_count(threads)
    pool = ThreadPoolExecutor(lanes)
    device, memory = where
    loaded = qingyu.load(model, threads=1, device=device, gpu_memory=memory)
    with closing(loaded), _ended(pool):
        own, named = equipped(loaded, parameters)
        ask = line.counted(asking(own, task, named, pool.map))

        def answering(inputs: Inputs) -> Answering:
            return Answering(ask, inputs)

        yield locally(answering, ahead=lanes)  # work for all of them while one is written


@contextmanager
def _ended(pool: ThreadPoolExecutor) -> Iterator[None]:
    """What is not begun is given up, so that an interrupted job ends at once."""
    try:
        yield
    finally:
        pool.shutdown(cancel_futures=True)


def _parameters(labels: str | None, top_k: int | None, options: list[str] | None) -> dict[str, Any]:
    """The task's parameters, as JSON can hold them. Raises InputError."""
    given: dict[str, Any] = {}
    for option in options or []:
        name, equals, value = option.partition("=")
        if not equals:
            raise InputError(
                f"--option 应写作 名称=值：{option}", f"--option takes NAME=VALUE: {option}"
            )
        try:
            given[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            given[name.strip().replace("-", "_")] = value
    if labels is not None:
        given["candidate_labels"] = labels
    if top_k is not None:
        given["top_k"] = top_k
    return given


def _check_encoding(encoding: str) -> None:
    try:
        "".encode("utf-8" if encoding == "auto" else encoding)
    except LookupError as error:
        raise InputError(f"没有编码 {encoding}。", f"There is no encoding {encoding}.") from error
