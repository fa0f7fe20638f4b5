"""Runs a job from its checkpoint on: reads, computes, writes.

After every window the rows are on the disk before the checkpoint says so. Whatever ends the job in
between, the next run cuts the part file back to the checkpoint and reads on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from qingyu.errors import EmptyTextError, InputError

from .checkpoint import JobCheckpoint, read_checkpoint
from .columns import Inputs, choose, names_of
from .compression import compressor
from .errors import RowError, StoppedError, TooManyErrorsError, WriteError
from .lock import Lock
from .opening import told
from .output import PartFile, part_of, publish, table_of
from .paths import FileTask, JobFiles, check_outputs
from .readers import open_reader
from .rows import RAW_BYTES, BadRow, Position, Row
from .sources import Source, header_of, unlike
from .table_writers import TABLES, check_library, convert
from .tables import plain
from .windows import Answered, Answering, Limits, Window, answer_all, read_windows
from .writers import Writer, writer

VERSION = 4
BLANK = b"\n"  # a blank line of TXT, written as TXT


@dataclass(frozen=True)
class Job:
    """What to do. `model` is the digest of what answers: a job goes on with no other.

    `max_errors` bad rows are let by, or any number where it is None.
    """

    task: str
    layout: JobFiles
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    column: str | None = None
    pair: str | None = None
    limits: Limits = field(default_factory=Limits)
    max_errors: int | None = None
    force: bool = False

    @property
    def signature(self) -> dict[str, Any]:
        """What must be the same for a job to go on."""
        files = []
        for piece in self.layout.pieces:
            seen = piece.source.path.stat()
            files.append(
                [
                    str(piece.source.path.resolve()),
                    seen.st_size,
                    seen.st_mtime_ns,
                    str(piece.output),
                ]
            )
        first = self.layout.pieces[0].source
        return {
            "version": VERSION,
            "task": self.task,
            "model": self.model,
            "parameters": self.parameters,
            "files": files,
            "columns": [self.column, self.pair],
            "reading": [
                first.encoding,
                first.header,
                first.header_row,
                first.sheet,
                first.quotes,
                first.max_row_bytes,
            ],
            "windows": [self.limits.rows, self.limits.characters, self.limits.bytes],
        }


@dataclass(frozen=True)
class Progress:
    """Rows written or refused so far, `resumed` of them by earlier runs; bytes of the inputs as
    they are stored."""

    rows: int
    failed: int
    resumed: int
    read_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class FileReading:
    """What a computation reads: a file from a place on, and the columns of it."""

    source: Source
    position: Position
    inputs: Inputs
    limits: Limits


Compute: TypeAlias = Callable[[FileReading], Iterator[Answered]]
"""The windows of a reading, answered, in order."""


def locally(answering: Callable[[Inputs], Answering], ahead: int = 1) -> Compute:
    """Compute in this process, `ahead` windows begun behind the one that is written. What is known
    is kept from one file to the next."""
    made: dict[Inputs, Answering] = {}

    def compute(reading: FileReading) -> Iterator[Answered]:
        one = made.setdefault(reading.inputs, answering(reading.inputs))
        with closing(open_reader(reading.source, reading.position)) as reader:
            yield from answer_all(read_windows(reader, reading.limits), one, ahead)

    return compute


def run(
    job: Job,
    compute: Compute,
    *,
    report: Callable[[Progress], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Progress:
    """Do the job, or go on with it. Raises the errors of this package and what computing raises;
    after any of them the same call goes on where the last checkpoint stands."""
    lock = Lock(job.layout.lock, job.layout.root)
    try:
        return _Run(job, compute, report, stopped).run()
    finally:
        lock.release()


class _Run:
    def __init__(
        self,
        job: Job,
        compute: Compute,
        report: Callable[[Progress], None],
        stopped: Callable[[], bool],
    ) -> None:
        self.job = job
        self.compute = compute
        self.report = report
        self.stopped = stopped
        self.layout = job.layout
        self.sizes = [piece.source.path.stat().st_size for piece in self.layout.pieces]
        self.errors = PartFile(self.layout.errors)
        self.state = JobCheckpoint(job.signature)
        self.resumed = 0

    def run(self) -> Progress:
        for piece in self.layout.pieces:
            check_library(piece.format)
        self._find_state()
        for piece in self.layout.pieces[: self.state.piece]:
            self._publish(piece)  # where its name was still to be given
        if self.state.piece < len(self.layout.pieces):
            self.errors.open(self.state.errors_offset)
        try:
            for piece in self.layout.pieces[self.state.piece :]:
                self._do(piece)
            return self._finish()
        finally:
            self.errors.close()
            if not self.state.begun:
                self._leave_no_trace()

    def _leave_no_trace(self) -> None:
        for path in (
            self.errors.part,
            *(part_of(piece.output) for piece in self.layout.pieces),
            self.layout.checkpoint,
        ):
            path.unlink(missing_ok=True)

    def _find_state(self) -> None:
        """Begin or go on; the checkpoint is there before any part file is."""
        path, force = self.layout.checkpoint, self.job.force
        state = read_checkpoint(path, self.job.signature, force=force)
        check_outputs(self.layout, state.piece if state else 0, force=force, new=state is None)
        if state is None:
            self.state.write(path)
        else:
            self.state = state
        self.resumed = self.state.rows

    def _do(self, piece: FileTask) -> None:
        with closing(open_reader(piece.source)) as reader:
            available = reader.columns
        inputs = choose(self.job.task, (self.job.column, self.job.pair), available)
        part = PartFile(piece.output)
        part.open(self.state.offset)
        compress = compressor(piece.compression)
        out: Writer | None = None
        if columns := self.state.columns or tuple(available):
            out = writer(piece.format, self.job.task, columns, quotes=piece.source.quotes)
        reading = FileReading(piece.source, self.state.position, inputs, self.job.limits)
        try:
            for answered in self.compute(reading):
                window = answered.window
                if out is None:
                    columns = _columns(window)
                    if piece.format != "jsonl":
                        with told(piece.source):
                            header_of(list(columns))
                    out = writer(piece.format, self.job.task, columns, quotes=piece.source.quotes)
                head = b"" if self.state.offset else out.begin()
                body, refused = self._encode(out, answered, piece)
                part.write(compress(head + body))
                self.errors.write(b"".join(refused))
                self.state = replace(
                    self.state,
                    position=window.end,
                    offset=part.offset,
                    errors_offset=self.errors.offset,
                    columns=columns,
                    rows=self.state.rows + len(window.rows),
                    failed=self.state.failed + len(refused),
                )
                self.state.write(self.layout.checkpoint)
                self._tell(window.read_bytes)
            if not part.offset and out is not None:
                part.write(compress(out.begin()))
        finally:
            part.close()
        # From here on the file is done, and only its name is to be given: at once, or by the next
        # run should this one end in between.
        if piece.format in TABLES:
            self._convert(piece, unlike([*columns, *names_of(self.job.task)]))
        self.state = replace(
            self.state, piece=self.state.piece + 1, position=Position(), offset=0, columns=()
        )
        self.state.write(self.layout.checkpoint)
        self._publish(piece)

    def _encode(
        self, out: Writer, answered: Answered, piece: FileTask
    ) -> tuple[bytes, list[bytes]]:
        good: list[bytes] = []
        refused: list[bytes] = []
        for row, outcome in zip(answered.window.rows, answered.outcomes, strict=True):
            if piece.source.blank and isinstance(outcome, EmptyTextError):
                good.append(BLANK)
                continue
            if isinstance(outcome, InputError):
                error = outcome
            elif isinstance(row, BadRow):
                error = row.error
            else:
                try:
                    good.append(out.row(row.cells, outcome))
                    continue
                except RowError as unwritable:
                    error = unwritable
            refused.append(_refusal(piece, row, error))
        return b"".join(good), refused

    def _convert(self, piece: FileTask, names: list[str]) -> None:
        """Turn the rows that wait into a table beside them."""
        table = table_of(piece.output)
        fresh = table.with_name(table.name + ".new")
        try:
            convert(piece.format, part_of(piece.output), fresh, names, self._beat)
            fresh.replace(table)
        except OSError as error:
            raise WriteError(piece.output, error) from error

    def _publish(self, piece: FileTask) -> None:
        part = PartFile(piece.output)
        if piece.format in TABLES:
            if (table := table_of(piece.output)).exists():
                publish(table, piece.output, force=self.job.force)
            part.remove()
        elif part.part.exists():
            part.publish(force=self.job.force)

    def _finish(self) -> Progress:
        if not self.state.errors_offset:
            self.errors.remove()
            if self.job.force:  # those of a job that this one replaced
                self.layout.errors.unlink(missing_ok=True)
        elif self.errors.part.exists():
            self.errors.publish(force=self.job.force)
        self.layout.checkpoint.unlink(missing_ok=True)
        done = self._progress(0)
        self.report(done)
        return done

    def _beat(self) -> None:
        """Between two pieces of work that no row tells of."""
        self.report(self._progress(self.sizes[self.state.piece]))
        if self.stopped():
            raise StoppedError

    def _tell(self, read_bytes: int) -> None:
        self.report(self._progress(read_bytes))
        limit = self.job.max_errors
        if limit is not None and self.state.failed > limit:
            raise TooManyErrorsError(self.state.failed, limit, self.errors.part)
        if self.stopped():
            raise StoppedError

    def _progress(self, read_bytes: int) -> Progress:
        before = sum(self.sizes[: self.state.piece])
        return Progress(
            self.state.rows,
            self.state.failed,
            self.resumed,
            min(before + read_bytes, sum(self.sizes)),
            sum(self.sizes),
        )


def _columns(window: Window) -> tuple[str, ...]:
    """The names that the rows of a first window have, in the order they come."""
    names: dict[str, None] = {}
    for row in window.rows:
        if isinstance(row, Row):
            names.update(dict.fromkeys(row.cells))
    return tuple(names)


def _refusal(piece: FileTask, row: Row | BadRow, error: InputError) -> bytes:
    facts = {
        "file": piece.source.name or piece.source.path.name,
        "line": row.line,
        "code": error.code,
        "message": error.zh,
        "message_en": error.en,
    }
    cells = row.raw if isinstance(row, BadRow) else {"row": row.cells}
    whole = json.dumps({**facts, **cells}, ensure_ascii=False, default=plain).encode()
    if len(whole) > RAW_BYTES:  # its line says where it stands
        whole = json.dumps({**facts, "row_bytes": len(whole)}, ensure_ascii=False).encode()
    return whole + b"\n"
