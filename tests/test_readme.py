"""What the READMEs show is what happens: every example is run and compared.

`python tests/test_readme.py` (`make readme`) writes the outputs anew, after a change of the model.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from qingyu.cli import run

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
CHECKPOINT = ROOT / "tests" / "golden" / "checkpoints" / "bert-masked-lm"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
BAR = re.compile("[▏▎▍▌▋▊▉█]+ *")
# A CPU without VNNI rounds INT8 sums differently; a probability moves by less than this.
PERCENT_POINTS = 1.0
OUTPUTS = {"text", "json"}


class Block(NamedTuple):
    language: str
    code: str


class Example(NamedTuple):
    code: Block
    output: Block


def blocks(readme: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(readme.read_text(encoding="utf-8"))]


def examples(readme: Path) -> list[Example]:
    """Code blocks that an output block follows."""
    found = blocks(readme)
    pairs = itertools.pairwise(found)
    return [Example(code, output) for code, output in pairs if output.language in OUTPUTS]


def printed_by(block: Block, port: int) -> str:
    """Do what a reader would do with the block; return what they would see."""
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        if block.language == "python":
            exec(compile(block.code, "README", "exec"), {})  # noqa: S102 that is what it is for
        else:
            words = shlex.split(block.code, comments=True)
            if words[0] == "curl":
                print(fetched(words, port))
            else:
                assert words[0] == "qingyu"
                assert run(words[1:]) == 0
    return screen.getvalue()


def fetched(curl: list[str], port: int) -> str:
    """Send what a curl command would send, to the service on `port`."""
    (url,) = [urlsplit(word) for word in curl if word.startswith("http://")]
    header, _, value = curl[curl.index("-H") + 1].partition(": ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", url.path, curl[curl.index("-d") + 1].encode(), {header: value})
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()


@contextlib.contextmanager
def service() -> Iterator[int]:
    """`qingyu serve` on a free port, ready to answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "qingyu", "serve", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 60
        while not is_ready(port):
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False


def assert_same(shown: str, seen: str) -> None:
    """Equal words; numbers may differ by `PERCENT_POINTS`, bars by their length."""
    words = [NUMBER.sub("#", BAR.sub("", text)).strip() for text in (shown, seen)]
    assert words[0] == words[1]
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (shown, seen)]
    assert numbers[0] == pytest.approx(numbers[1], abs=PERCENT_POINTS)


def assert_same_json(shown: str, seen: str) -> None:
    """Equal fields and values, but for the time it took and the last digits of scores."""
    left, right = json.loads(shown), json.loads(seen)
    assert left.pop("elapsed_ms") >= 0
    assert right.pop("elapsed_ms") >= 0
    scores = [
        [c.pop("score") for r in said["results"] for m in r["masks"] for c in m["candidates"]]
        for said in (left, right)
    ]
    assert left == right
    assert scores[0] == pytest.approx(scores[1], abs=PERCENT_POINTS / 100)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with service() as chosen:
        yield chosen


@pytest.mark.slow
@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_examples_print_what_is_shown(readme: Path, port: int) -> None:
    """The command, Python and HTTP examples give the output that stands under each."""
    found = examples(readme)
    assert [(code.language, code.code.split()[0]) for code, _ in found] == [
        ("sh", "qingyu"),
        ("python", "import"),
        ("sh", "curl"),
    ]
    for code, output in found:
        compare = assert_same_json if output.language == "json" else assert_same
        compare(output.code, printed_by(code, port))


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_a_checkpoint_can_be_brought(
    readme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of the last section work in a folder that holds a checkpoint."""
    shutil.copytree(CHECKPOINT, tmp_path / "my-checkpoint")
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line) for line in blocks(readme)[-1].code.splitlines()]
    assert [words[0] for words in commands] == ["pip", "qingyu", "qingyu"]
    for words in commands[1:]:
        # A tiny checkpoint with random weights agrees less with itself at INT8 than a real one.
        loose = ["--min-agreement", "0", "--no-measure"] if words[1] == "build" else []
        assert run([*words[1:], *loose]) == 0


def test_both_languages_show_the_same_code() -> None:
    """The two READMEs differ in prose alone."""
    english, chinese = ([b for b in blocks(readme) if "make " not in b.code] for readme in READMES)
    assert english == chinese


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_nothing_points_nowhere(readme: Path) -> None:
    """Files that are linked exist, and the two commands are targets of the Makefile."""
    links = LINK.findall(readme.read_text(encoding="utf-8"))
    assert not [link for link in links if ":" not in link and not (ROOT / link).exists()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in blocks(readme)[0].code.splitlines():
        assert f"\n{line.split()[1]}:" in makefile


def rewrite(port: int) -> None:
    """Put what the examples print now under each of them."""
    printed: dict[Block, str] = {}
    for readme in READMES:
        text = readme.read_text(encoding="utf-8")
        for code, output in examples(readme):
            if code not in printed:
                lines = [line.rstrip() for line in printed_by(code, port).splitlines()]
                printed[code] = "\n".join(lines) + "\n"
            before = f"```{code.language}\n{code.code}```\n\n```{output.language}\n"
            text = text.replace(before + output.code, before + printed[code])
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    with service() as chosen_port:
        rewrite(chosen_port)
