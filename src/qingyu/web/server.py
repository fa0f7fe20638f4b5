"""The HTTP service on its socket: in this process, or in several."""

from __future__ import annotations

import logging
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

from qingyu.errors import SettingsError
from qingyu.settings import KEPT, Settings
from qingyu.web.edge.logs import for_people, set_up_logging

from .sockets import address_of, listen

log = logging.getLogger("qingyu.web")


def serve(settings: Settings, *, open_page: bool = False) -> None:
    """Serve until told to stop, and with `open_page` show the page in a browser.

    Raises SettingsError where the address cannot be used, and what loading the default model
    raises."""
    make_folders(settings)
    listener = listen(settings)
    _greet(settings, address_of(listener))
    if open_page:  # the socket listens already: the browser waits until the page answers
        threading.Thread(target=show, args=(local(address_of(listener)),), daemon=True).start()
    if settings.workers == 1:
        from .worker import run

        run(settings, listener)
        return

    from .processes import Processes

    Processes(settings, listener).run()


def make_folders(settings: Settings) -> None:
    """The folders of `data`, where they are not there yet. Raises SettingsError."""
    if settings.data is None:
        return
    try:
        for name in KEPT:
            folder: Path = getattr(settings, name)
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsError(
            f"无法建立目录 {error.filename}：{why}。可用 --data 换一个。",
            f"Cannot make the folder {error.filename}: {why}. Try another --data.",
        ) from error


def local(address: str) -> str:
    """The address by which a browser on this machine reaches it."""
    return address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def show(address: str) -> None:
    """Open the page in a browser, or say where it is."""
    if not webbrowser.open(f"{address}/"):
        with suppress(OSError):
            print(
                f"没有找到浏览器，请自己打开 {address}/\nNo browser found; open {address}/",
                file=sys.stderr,
                flush=True,
            )


def _greet(settings: Settings, address: str) -> None:
    """Say where it is, in words for people or as the first entry of the log."""
    if not for_people(settings.log_format):
        set_up_logging(settings.log_format, settings.log_level, texts=settings.log_text)
        log.info("listening", extra={"fields": {"address": address}})
        return
    with suppress(OSError):  # standard error is closed, or its disk is full
        print(
            f"轻语正在启动：网页 {address}/  接口文档 {address}/docs\n"
            f"Qingyu is starting: page {address}/  API {address}/docs",
            file=sys.stderr,
            flush=True,
        )
