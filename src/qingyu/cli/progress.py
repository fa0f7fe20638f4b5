"""How far a job is: from its first second on, and where it stands when it is interrupted."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qingyu.jobs.paths import JobFiles
    from qingyu.jobs.runner import Progress
    from qingyu.jobs.windows import Ask, Outcome, Texts

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 30.0


class ProgressLine:
    """How many rows, how fast, how long still: one line on a terminal, now and then in a log."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = self._began
        self._first: Progress | None = None
        self._last: Progress | None = None
        self._answered = 0  # texts, of the window that is not yet written among them
        self._terminal = sys.stderr.isatty()

    def begin(self, layout: JobFiles) -> None:
        """Before anything is loaded: what will be read, and how much of it."""
        pieces = layout.pieces
        size = sum(piece.source.path.stat().st_size for piece in pieces)
        name = pieces[0].source.path.name if len(pieces) == 1 else f"{len(pieces)} 个文件 files"
        self._say(f"开始 / begun: {name}，{size / 1e6:.1f} MB → {layout.root}")

    def counted(self, ask: Ask) -> Ask:
        """The same answers, counted as they come: long before a window of them is written."""

        def counting(inputs: Sequence[Texts]) -> Iterator[Outcome]:
            return self._count(ask(inputs))

        return counting

    def show(self, progress: Progress) -> None:
        """A window has been written."""
        self._first = self._first or progress
        self._last = progress
        if self._due():
            self._say(self._line(progress, time.monotonic()), end="" if self._terminal else "\n")

    def end(self, progress: Progress) -> None:
        seconds = time.monotonic() - self._began
        fresh = progress.rows - progress.resumed
        before = f"，其中续接 {progress.resumed}" if progress.resumed else ""
        self._say(
            f"完成 / done: {progress.rows} 行 rows{before}，{seconds:.1f} s，"
            f"{fresh / max(seconds, 1e-9):.0f} 行/秒 rows/s"
        )

    def stopped(self, layout: JobFiles) -> None:
        """Interrupted: what is safe, what is left, and how to go on."""
        last = self._last
        if last is None:
            self._say(
                "已停下，还没有写出新的行；再运行同一条命令即可 / "
                "stopped before any row was written; run the same command again"
            )
            return
        left = 1 - last.read_bytes / max(1, last.total_bytes)
        self._say(
            f"已停下：{last.rows} 行已写好，还剩约 {left:.0%}；用同一条命令继续（进度在 "
            f"{layout.checkpoint}）\n"
            f"stopped: {last.rows} rows are written, about {left:.0%} is left; the same command "
            "goes on from there"
        )

    def _count(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        for outcome in outcomes:
            self._answered += 1
            if self._last is None and self._due():
                told = f"已答 / answered: {self._answered}"
                self._say(told, end="" if self._terminal else "\n")
            yield outcome

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._told < (TERMINAL_SECONDS if self._terminal else LOG_SECONDS):
            return False
        self._told = now
        return True

    def _line(self, progress: Progress, now: float) -> str:
        seconds = max(now - self._began, 1e-9)
        rate = (progress.rows - progress.resumed) / seconds
        text = f"{progress.rows} 行 rows，{rate:.0f} 行/秒 rows/s"
        if progress.failed:
            text += f"，坏行 bad {progress.failed}"
        # Time left by what this run has read; its first window tells where it began.
        if self._first is not None and progress.total_bytes:
            read = progress.read_bytes - self._first.read_bytes
            left = progress.total_bytes - progress.read_bytes
            text += f"，{progress.read_bytes / progress.total_bytes:.0%}"
            if read > 0:
                text += f"，剩余 left {_duration(left * seconds / read)}"
        return text

    def _say(self, text: str, end: str = "\n") -> None:
        start = "\r\x1b[K" if self._terminal else ""
        print(start + text, end=end, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02}:{whole % 60:02}"
