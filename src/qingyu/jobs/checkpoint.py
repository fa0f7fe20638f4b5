"""Checkpoint of a job: written atomically after every window."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import FileError, OtherJobError
from .output import write_whole
from .rows import Position


@dataclass(frozen=True)
class JobCheckpoint:
    """All files before `piece` are done; of that one, what lies before `position` is in the first
    `offset` bytes of its part. `signature` is what the job is: another job may not go on here."""

    signature: dict[str, Any]
    piece: int = 0
    position: Position = field(default_factory=Position)
    offset: int = 0
    errors_offset: int = 0
    columns: tuple[str, ...] = ()
    rows: int = 0
    failed: int = 0

    @property
    def begun(self) -> bool:
        return bool(self.rows or self.piece)

    def write(self, path: Path) -> None:
        """Raises WriteError."""
        write_whole(path, json.dumps(asdict(self), ensure_ascii=False).encode())


def read_checkpoint(path: Path, signature: dict[str, Any], *, force: bool) -> JobCheckpoint | None:
    """The job's own checkpoint, or None where it has not begun. That of another job is an
    OtherJobError, or with `force` forgotten. Raises FileError."""
    signature = json.loads(json.dumps(signature))  # as it comes back from the file
    try:
        state = json.loads(path.read_bytes())
        position = Position(**state.pop("position"))
        checkpoint = JobCheckpoint(position=position, columns=tuple(state.pop("columns")), **state)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if force:
            return None
        raise FileError(
            f"检查点 {path} 无法读取：{error}；用 --force 从头开始。",
            f"Cannot read the checkpoint {path}: {error}; start over with --force.",
        ) from error
    if checkpoint.signature == signature:
        return checkpoint
    if not checkpoint.begun:
        return JobCheckpoint(signature)
    if force:
        return None
    old = checkpoint.signature
    different = [name for name in signature if old.get(name) != signature[name]]
    raise OtherJobError(path, ", ".join(different))
