"""Files that stand in for what was meant: pointers, web pages, nothing at all."""

from __future__ import annotations

from pathlib import Path

from qingyu.errors import CheckpointError

LOOKED_AT = 512  # bytes from the beginning
POINTER = b"version https://git-lfs.github.com/"
PAGE = (b"<!doctype", b"<html", b"<?xml", b"<head")


def refuse_stand_in(path: Path) -> None:
    """Raises CheckpointError where `path` is empty, a git-lfs pointer or a web page, and says what
    to do; what cannot be read is left to whoever reads it."""
    try:
        with path.open("rb") as file:
            start = file.read(LOOKED_AT)
    except OSError:
        return
    beginning = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        raise CheckpointError(
            f"{path} 是空文件（0 字节），请重新下载。",
            f"{path} is empty (0 bytes); download it again.",
        )
    if start.startswith(POINTER):
        raise CheckpointError(
            f"{path} 只是 git-lfs 的指针，不是权重本身。请在该目录运行 git lfs pull，"
            "或用 qingyu build hf:owner/name 直接下载。",
            f"{path} is a git-lfs pointer, not the file itself. Run `git lfs pull` in its folder, "
            "or let `qingyu build hf:owner/name` download it.",
        )
    if beginning.startswith(PAGE):
        raise CheckpointError(
            f"{path} 是一个网页，不是模型文件：下载链接给出的多半是登录页或错误页。请重新下载。",
            f"{path} is a web page, not a model's file: the link probably led to a login or an "
            "error page. Download it again.",
        )
