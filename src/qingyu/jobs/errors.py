"""Errors raised by jobs."""

from __future__ import annotations

from pathlib import Path

from qingyu.errors import InputError, OverloadedError, QingyuError

SHORT = 100


def short(name: str) -> str:
    """A name from a file as an error can repeat it."""
    return name if len(name) <= SHORT else f"{name[:SHORT]}…"


class FileError(InputError):
    """A file cannot be read as what it should be."""

    code = "file_invalid"


class RowError(InputError):
    """One row cannot be read; the others can."""

    code = "row_invalid"


class OutputExistsError(InputError):
    code = "output_exists"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} 已存在，没有改动它。换一个输出，或用 --force 覆盖。",
            f"{path} exists and was left as it is. Name another output, or overwrite with --force.",
        )


class OtherJobError(InputError):
    """An unfinished job of another kind owns this output."""

    code = "other_job"

    def __init__(self, path: Path, difference: str) -> None:
        super().__init__(
            f"{path} 上有一个未完成的任务，与这次不同（{difference}）。"
            "用原来的命令继续，或用 --force 从头开始。",
            f"An unfinished job on {path} differs from this one ({difference}). "
            "Go on with its own command, or start over with --force.",
        )


class BusyError(InputError):
    code = "job_running"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"另一个进程正在写 {path}。", f"Another process is writing {path} at this moment."
        )


class MissingLibraryError(QingyuError):
    """A format needs a library that is not installed."""

    code = "library_missing"

    def __init__(self, what: str, package: str) -> None:
        super().__init__(
            f"读写 {what} 需要 {package}：pip install {package}",
            f"{what} needs {package}: pip install {package}",
        )


class WriteError(QingyuError):
    """The output cannot be written; what the last checkpoint holds is safe."""

    code = "write_failed"

    def __init__(self, path: Path, error: OSError) -> None:
        why = error.strerror or str(error)
        super().__init__(
            f"无法写入 {path}：{why}。已完成的部分没有丢失，问题解决后用同一命令继续。",
            f"Cannot write {path}: {why}. What is done is safe; the same command goes on from it.",
        )


class ClusterError(QingyuError):
    """A cluster cannot be reached or started, or gave up; the last checkpoint's part is safe."""

    code = "cluster_failed"

    def __init__(self, address: str, error: BaseException) -> None:
        why = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        super().__init__(
            f"Ray 集群 {address} 出错：{why[0]}。已完成的部分没有丢失，"
            "用同一命令继续，有没有 --ray 都可以。",
            f"The Ray cluster {address} failed: {why[0]}. What is done is safe; the same command "
            "goes on from it, with --ray or without.",
        )


class TooManyErrorsError(QingyuError):
    code = "too_many_errors"

    def __init__(self, count: int, limit: int, where: Path) -> None:
        super().__init__(
            f"有 {count} 行出错，超过 {limit} 行，已停下。原因见 {where}。",
            f"{count} rows are bad, over the limit of {limit}: stopped. See {where}.",
        )


class StoppedError(QingyuError):
    """Somebody asked the job to stop; it can go on later."""

    code = "job_stopped"

    def __init__(self) -> None:
        super().__init__("任务已停下，可以继续。", "The job has stopped; it can go on later.")


class JobNotFoundError(QingyuError):
    code = "job_not_found"

    def __init__(self) -> None:
        super().__init__("没有这个任务，或已过期。", "There is no such job, or it has expired.")


class JobStateError(QingyuError):
    """What was asked for does not fit the state the job is in."""

    code = "job_state"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"任务现在的状态是 {state}，不能这样做。",
            f"The job is {state}; this cannot be done now.",
        )


class TooManyJobsError(QingyuError):
    code = "too_many_jobs"

    def __init__(self, limit: int, *, ended: bool = False) -> None:
        if ended:
            super().__init__(
                f"最多保留 {limit} 个任务，请删除一些已结束的。",
                f"At most {limit} jobs are kept; delete some that have ended.",
            )
        else:
            super().__init__(
                f"最多 {limit} 个未完成的任务，请等待或取消一些。",
                f"At most {limit} unfinished jobs; wait, or cancel some.",
            )


class TooManyBytesError(QingyuError):
    """The files of all jobs of a key together."""

    code = "too_many_bytes"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"所有任务的文件超过 {limit} 字节，请删除一些已结束的任务。",
            f"The files of all jobs exceed {limit} bytes; delete some jobs that have ended.",
        )


class FilesMissingError(QingyuError):
    code = "job_files_missing"

    def __init__(self) -> None:
        super().__init__(
            "任务的文件已不在服务器上，请重新提交。",
            "The files of this job are gone from the server; send it again.",
        )


class StoreError(QingyuError):
    """The folder or the database of jobs cannot be used. `full`: it cannot be written."""

    def __init__(self, why: str, *, full: bool) -> None:
        super().__init__(
            f"批量任务的目录或数据库不可用：{why}。",
            f"The folder or database of jobs cannot be used: {why}.",
        )
        self.code = "write_failed" if full else "jobs_unavailable"


class StoreBusyError(OverloadedError):
    """Another process holds the database."""

    code = "jobs_busy"

    def __init__(self) -> None:
        super().__init__(1.0)
