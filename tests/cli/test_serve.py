"""`qingyu serve`: every setting is a flag, and what is wrong is said before anything starts."""

from __future__ import annotations

import queue
import re
from pathlib import Path

import pytest

from qingyu.cli import run
from qingyu.errors import SettingsError
from qingyu.settings import KEPT, Settings
from qingyu.web import server, worker


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of services that would have been started."""
    started: list[Settings] = []
    monkeypatch.setattr(server, "serve", lambda settings, open_page: started.append(settings))
    return started


def test_every_setting_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists each field of Settings under its own name."""
    assert run(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    flags = {f"--{name.replace('_', '-')}" for name in Settings.model_fields}
    assert flags <= set(shown.split())


def test_flags_become_settings(served: list[Settings]) -> None:
    """Numbers, sizes, lists and switches arrive as their types."""
    flags = "--port 0 --memory-budget 1GB --pin a,b --log-text --log-format text --drain=1.5"
    assert run(["serve", *flags.split()]) == 0
    (settings,) = served
    assert (settings.port, settings.memory_budget, settings.pin) == (0, 10**9, ("a", "b"))
    assert (settings.log_text, settings.log_format, settings.drain) == (True, "text", 1.5)


def test_a_flag_wins_over_the_environment(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed counts more than what is exported; what is not typed is taken from there."""
    monkeypatch.setenv("QINGYU_PORT", "1234")
    monkeypatch.setenv("QINGYU_MAX_TEXTS", "7")
    assert run(["serve", "--port", "4321"]) == 0
    assert (served[0].port, served[0].max_texts) == (4321, 7)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--port", "x"], "port"),
        (["--host", "0.0.0.0"], "QINGYU_ALLOW_OPEN"),
        (["--nonsense"], "--nonsense"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_flags_start_nothing(
    flags: list[str], words: str, served: list[Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong value or an unknown flag is status 2, named, and no service starts."""
    assert run(["serve", *flags]) == 2
    assert words in capsys.readouterr().err
    assert served == []


@pytest.mark.parametrize(("flags", "wanted"), [([], False), (["--open"], True)])
def test_a_page_is_opened_when_asked(
    flags: list[str], wanted: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--open` shows the page at the address that is really listened on; nothing else does."""
    opened: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(worker, "run", lambda settings, listener: listener.close())
    monkeypatch.setattr(server.webbrowser, "open", lambda url: opened.put(url) or True)  # type: ignore[attr-defined]
    assert run(["serve", "--port", "0", *flags]) == 0
    if wanted:
        assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d+/", opened.get(timeout=30))
    assert opened.empty()


def test_all_that_is_kept_lies_in_one_folder(served: list[Settings], tmp_path: Path) -> None:
    """Each kind in a folder of its name; one that is named by itself lies where it says."""
    assert run(["serve", "--data", str(tmp_path), "--jobs", "/elsewhere"]) == 0
    (settings,) = served
    found = {name: getattr(settings, name) for name in KEPT}
    assert found == {**{name: tmp_path / name for name in KEPT}, "jobs": Path("/elsewhere")}


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        (["--open"], ".qingyu"),
        (["--open", "--data", "/there"], "/there"),
        (["--open", "--host", "0.0.0.0", "--allow-open"], None),
        ([], None),
    ],
)
def test_who_opens_the_page_keeps_things_at_home(
    flags: list[str],
    kept: str | None,
    served: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A person at this machine need not say where; a service for others keeps nothing unasked."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert run(["serve", *flags]) == 0
    assert served[0].data == (None if kept is None else tmp_path / kept)


def test_folders_are_made_once_it_starts(tmp_path: Path) -> None:
    """So that the first list, head or index has a place; where none can be made, that is said."""
    server.make_folders(Settings(data=tmp_path / "new"))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(KEPT)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="--data"):
        server.make_folders(Settings(data=tmp_path / "file"))


def test_an_address_for_all_is_opened_here(capsys: pytest.CaptureFixture[str]) -> None:
    """No browser reaches 0.0.0.0 everywhere; it is sent to this machine's own address."""
    assert server.local("http://0.0.0.0:80") == "http://127.0.0.1:80"
    assert server.local("http://[::]:80") == "http://[::1]:80"
    assert server.local("http://10.0.0.0:80") == "http://10.0.0.0:80"


def test_without_a_browser_the_address_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without a browser is no error."""
    monkeypatch.setattr(server.webbrowser, "open", lambda url: False)  # type: ignore[attr-defined]
    server.show("http://127.0.0.1:1")
    assert capsys.readouterr().err.count("http://127.0.0.1:1/") == 2
