"""Input and output paths of a job: a file, a folder or a pattern, and the outputs."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import FileError, OutputExistsError
from .output import part_of
from .sources import FORMATS, READ_ONLY, Source, format_of, output_format_of, written_as

SIDES = (".part", ".table", ".checkpoint", ".lock", ".new")
ERRORS = ".errors.jsonl"


@dataclass(frozen=True)
class FileTask:
    """One file in, one file out."""

    source: Source
    output: Path
    format: str
    compression: str


@dataclass(frozen=True)
class JobFiles:
    """All files of a job; `root` is what its errors, checkpoint and lock are named after."""

    pieces: tuple[FileTask, ...]
    root: Path

    @property
    def errors(self) -> Path:
        return self._side(ERRORS)

    @property
    def checkpoint(self) -> Path:
        return self._side(".checkpoint")

    @property
    def lock(self) -> Path:
        return self._side(".lock")

    def read_as(self, name: str, max_expansion: int) -> JobFiles:
        """The same, for one file that a stranger sent and calls `name`."""
        (piece,) = self.pieces
        source = replace(piece.source, name=name, max_expansion=max_expansion)
        return replace(self, pieces=(replace(piece, source=source),))

    def _side(self, ending: str) -> Path:
        if self.root.is_dir():
            return self.root / f"qingyu-batch{ending}"
        return self.root.with_name(self.root.name + ending)


def lay_out(
    wanted: str,
    output: Path,
    *,
    to: str | None = None,
    **reading: Any,
) -> JobFiles:
    """`to` is the ending of the outputs in a folder, such as "jsonl"; without it as the inputs'.
    `reading` are fields of Source: encoding, header, header_row, sheet, quotes.

    Several inputs need a folder to write to, which is made. Raises FileError.
    """
    base, inputs = inputs_of(wanted)
    many = Path(wanted).is_dir() or not Path(wanted).exists()
    root = Path(os.path.realpath(output))
    if many:
        inputs = [path for path in inputs if root not in path.resolve().parents]
        if root.exists() and not root.is_dir():
            raise FileError(
                f"输入有多个文件，{output} 应为目录。", f"{output} should be a folder: many inputs."
            )
    into_folder = many or root.is_dir()
    if not inputs:
        raise FileError(f"{wanted} 中没有可读的文件。", f"There is no file to read in {wanted}.")
    pieces = []
    for path in inputs:
        kind, compression = format_of(path)
        target = root / _renamed(path.relative_to(base), to) if into_folder else root
        target = Path(os.path.realpath(target))
        written = output_format_of(target)
        source = Source(
            path, kind, compression, blank=kind == written[0] == "txt", **reading
        )  # so that lines stand beside lines
        pieces.append(FileTask(source, target, *written))
    _check(pieces)
    for piece in pieces:
        _make_folder(piece.output.parent)
    return JobFiles(tuple(pieces), root)


def check_outputs(layout: JobFiles, done: int, *, force: bool, new: bool) -> None:
    """Raises OutputExistsError and FileError where a file is in the way of those after the first
    `done`; of a `new` job a part file is in the way, too."""
    targets = [piece.output for piece in layout.pieces[done:]]
    if targets:
        targets.append(layout.errors)
    if new:
        targets += [part_of(target) for target in targets]
    for target in targets:
        if not os.path.lexists(target):
            continue
        if not target.is_file():
            raise FileError(f"{target} 不是普通文件。", f"{target} is not a regular file.")
        if not force:
            raise OutputExistsError(target)


def inputs_of(wanted: str) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and the files in order."""
    path = Path(wanted)
    if path.is_dir():
        inside = [one for one in path.rglob("*") if _readable(one.relative_to(path), one)]
        # JSON in a folder of tables is seldom one of them; a pattern names it.
        return path, sorted(one for one in inside if format_of(one)[0] not in READ_ONLY)
    if path.exists():
        return path.parent, [path]
    if glob.has_magic(wanted):
        inside = [Path(one) for one in glob.glob(wanted, recursive=True)]  # noqa: PTH207 absolute too
        fixed = Path(*_until_magic(path))
        return fixed, sorted(one for one in inside if _readable(one.relative_to(fixed), one))
    raise FileError(f"没有文件 {wanted}。", f"There is no file {wanted}.")


def _until_magic(path: Path) -> list[str]:
    parts = []
    for part in path.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return parts


def _readable(relative: Path, path: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    ours = path.name.endswith((*SIDES, ERRORS))
    name = path.with_suffix("") if path.suffix.lower() in {".gz", ".zst"} else path
    return path.is_file() and not hidden and not ours and name.suffix.lower() in FORMATS


def _renamed(path: Path, to: str | None) -> Path:
    if to is None:
        return path.with_name(written_as(path.name))
    stem = path.name
    while Path(stem).suffix.lower() in {*FORMATS, ".gz", ".zst"}:
        stem = Path(stem).stem
    return path.with_name(f"{stem}.{to.lstrip('.')}")


def _check(pieces: list[FileTask]) -> None:
    inputs = {piece.source.path.resolve() for piece in pieces}
    seen: set[Path] = set()
    for piece in pieces:
        target = piece.output
        same = target in inputs or any(target.exists() and target.samefile(path) for path in inputs)
        if same:
            raise FileError(
                f"{target} 既是输入又是输出。", f"{target} is both an input and an output."
            )
        if target in seen:
            raise FileError(
                f"两个输入都会写到 {target}。", f"Two inputs would both be written to {target}."
            )
        seen.add(target)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"无法建立目录 {folder}：{error.strerror}", f"Cannot make {folder}: {error.strerror}"
        ) from error
