"""Thousands of job files that are almost right, each worked on by the readers of `qingyu batch`.

    .venv/bin/python tests/faults/fuzz_files.py --inputs 10000

Good files of every format are bent: bytes flipped, cut, doubled and put elsewhere, numbers made
huge, quotes and brackets multiplied, members of archives repacked around bent contents. A process
under a memory limit works on them, answered by arithmetic. Ends with status 1 if that process dies,
an error is none of ours, one input takes over five seconds of its time, or its memory grows by more
than a fifth between the first tenth and the end.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parent.parent.parent
ROOM = 512 << 20  # bytes of data
SECONDS = 5.0  # of processor time
SHOWN = 20
TEXT_PIECES = (
    b'"', b'""', b",", b"\t", b"\n", b"\r\n", b"\r", b"\0", b"[", b"{", b"]", b"}", b":", b"\\u",
    b"\\ud800", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", "好".encode(), "好".encode("gb18030"),
    b"1e999", b"NaN", b"99999999999999999999", b"=cmd|x", b"'",
)  # fmt: skip
XML_PIECES = (
    b"<c>", b"</c>", b"<row>", b"</row>", b'r="A1"', b'r="99999999999"', b't="s"', b't="e"',
    b't="d"', b"<v>", b"</v>", b"<v>1e308</v>", b"<v>-1</v>", b"<!DOCTYPE a>", b"<!--", b"&lt;",
    b"&a;", b"<t>", b"<rPh>", b's="7"', b's="99999999999"', b"_x0000_", b"<si>", b"<is>",
)  # fmt: skip

Bend = Callable[[bytes], bytes]


def seeds() -> dict[str, bytes]:
    """A good file of each format, by its ending."""
    from datetime import date, timedelta

    import openpyxl
    import pyarrow as arrow
    from pyarrow import parquet

    rows = [(f"第{n}行，好的。", n, f'"引{n}"\n行') for n in range(20)]
    csv = "text,n,note\n" + "".join(
        f'{text},{n},"{note.replace(chr(34), chr(34) * 2)}"\n' for text, n, note in rows
    )
    jsonl = "".join(
        json.dumps({"text": text, "n": [n, {"a": note}]}, ensure_ascii=False) + "\n"
        for text, n, note in rows
    )
    book = openpyxl.Workbook()
    book.active.append(["text", "n", "when", "long"])
    for text, n, _ in rows:
        book.active.append([text, n, date(2024, 5, 1), timedelta(hours=30)])
    workbook = io.BytesIO()
    book.save(workbook)
    table = arrow.table(
        {
            "text": [text for text, _, _ in rows],
            "n": arrow.array([n for _, n, _ in rows], arrow.timestamp("ns", "Asia/Shanghai")),
            "map": arrow.array(
                [[(note, [n])] for _, n, note in rows],
                arrow.map_(arrow.string(), arrow.list_(arrow.int64())),
            ),
        }
    )
    columns = io.BytesIO()
    parquet.write_table(table, columns)
    text = "".join(f"{one}\n" for one, _, _ in rows)
    plain = {"csv": csv, "tsv": csv.replace(",", "\t"), "jsonl": jsonl, "txt": text}
    return {
        **{ending: data.encode() for ending, data in plain.items()},
        **{f"{ending}.gz": gzip.compress(plain[ending].encode()) for ending in ("csv", "jsonl")},
        "txt.zst": _zstd(plain["txt"].encode()),
        "xlsx": workbook.getvalue(),
        "parquet": columns.getvalue(),
    }


def _zstd(data: bytes) -> bytes:
    from qingyu.jobs.compression import compressor

    return compressor("zstd")(data)


class Bender:
    """Bends files, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seeds = seeds()

    def once(self) -> tuple[str, bytes]:
        """An ending, and a file that is almost of its format."""
        ending = self.dice.choice(list(self.seeds))
        data = self.seeds[ending]
        if ending == "xlsx" and self.dice.random() < 0.8:
            return ending, self.repacked(data)
        if ending.endswith(".gz") and self.dice.random() < 0.7:
            return ending, gzip.compress(self.bent(gzip.decompress(data), TEXT_PIECES))
        if self.dice.random() < 0.02:  # another format under this name
            data = self.dice.choice(list(self.seeds.values()))
        return ending, self.bent(data, TEXT_PIECES)

    def repacked(self, data: bytes) -> bytes:
        """A workbook with bent parts in a whole archive."""
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            names = old.namelist()
            chosen = set(self.dice.sample(names, self.dice.randint(1, 2)))
            chosen |= {"xl/worksheets/sheet1.xml"} if self.dice.random() < 0.6 else set()
            for name in names:
                part = old.read(name)
                if name in chosen:
                    if self.dice.random() < 0.1:
                        continue
                    part = self.bent(part, XML_PIECES)
                new.writestr(name, part, zipfile.ZIP_DEFLATED)
        return out.getvalue()

    def bent(self, data: bytes, pieces: tuple[bytes, ...]) -> bytes:
        out = bytearray(data)
        for _ in range(self.dice.choice((1, 1, 2, 4, 16))):
            at = self.dice.randrange(len(out) + 1)
            kind = self.dice.randrange(7)
            if kind == 0 and at < len(out):
                out[at] ^= 1 << self.dice.randrange(8)
            elif kind == 1:
                del out[at : at + self.dice.choice((1, 3, 30, 3000))]
            elif kind == 2:
                out[at:at] = out[at : at + self.dice.choice((1, 10, 1000))]
            elif kind == 3:
                count = self.dice.choice((1, 1, 1, 40, 10_000))
                out[at:at] = self.dice.choice(pieces) * count
            elif kind == 4:
                out[at : at + 4] = self.dice.choice((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"))
            elif kind == 5:
                out[at:at] = self.dice.randbytes(self.dice.choice((1, 8, 200)))
            else:
                end = self.dice.randrange(len(out) + 1)
                out[at:at] = out[min(at, end) : max(at, end)][:4000]
        return bytes(out)


class LateError(BaseException):
    """Nothing that the readers would take for an error of the file."""


def _late(number: int, frame: FrameType | None) -> None:
    raise LateError(f"more than {SECONDS} s")


def work(inputs: int, seed: int) -> None:
    """The process that is watched: a line of JSON for each input that went wrong, and every few
    hundred one of where it stands."""
    from qingyu.errors import QingyuError
    from qingyu.jobs.windows import Limits
    from tests.support.jobs import done

    bender = Bender(seed)
    resource.setrlimit(resource.RLIMIT_DATA, (ROOM, ROOM))
    signal.signal(signal.SIGPROF, _late)
    # Where there is memory for files: a disk's own time is not what is looked for.
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="qingyu-fuzz-", dir=shared))
    ends: Counter[str] = Counter()
    slowest = 0.0
    for number in range(1, inputs + 1):
        ending, data = bender.once()
        source = folder / f"a.{ending}"
        source.write_bytes(data)
        output = bender.dice.choice(("csv", "jsonl", "jsonl", "txt", "parquet", "xlsx"))
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            found = done(source, folder / f"out.{output}", force=True, limits=Limits())
            ends["rows" if found.rows > found.failed else "bad rows"] += 1
        except QingyuError as error:
            ends[error.code] += 1
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            ends["fault"] += 1
            kept = f"/tmp/qingyu-fuzz-{seed}-{number}.{ending}"  # noqa: S108 to look at
            shutil.copy(source, kept)
            told = traceback.format_exc(limit=-4)
            print(json.dumps({"fault": f"{type(error).__name__}: {error}", "file": kept,
                              "output": output, "where": told}), flush=True)  # fmt: skip
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        slowest = max(slowest, time.process_time() - began)
        if number % max(1, inputs // 10) == 0:
            print(json.dumps({"number": number, "resident": _resident(), "ends": ends,
                              "slowest": round(slowest, 2)}), flush=True)  # fmt: skip
    shutil.rmtree(folder)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    if "number" in told:
        print(told["number"], f"{told['resident'] / 1e6:.0f} MB", told["ends"],
              f"slowest {told['slowest']} s", flush=True)  # fmt: skip
    return told


def watch(inputs: int, seed: int, grown: float = 1.2) -> list[str]:
    """What went wrong; memory may have `grown` so many times. Prints where it stands."""
    command = [sys.executable, __file__, "--inputs", str(inputs), "--seed", str(seed), "--work"]
    faults: list[str] = []
    stands: list[int] = []
    one_allocator = {**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=one_allocator
    ) as process:
        lines = [_shown(json.loads(line)) for line in process.stdout or ()]
    for told in lines:
        if "fault" in told:
            faults.append(f"{told['fault']} ({told['file']} -> {told['output']})\n{told['where']}")
        else:
            stands.append(told["resident"])
    if process.returncode != 0:
        faults.append(f"the process ended with {process.returncode}")
    elif stands[-1] > grown * stands[0]:
        faults.append(f"memory grew from {stands[0] / 1e6:.0f} to {stands[-1] / 1e6:.0f} MB")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description="fuzz the readers of job files")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        sys.path.insert(0, str(ROOT))
        work(options.inputs, options.seed)
        return 0
    faults = watch(options.inputs, options.seed)
    for fault in faults[:SHOWN]:
        print("FAULT", fault)
    print(f"{options.inputs} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
