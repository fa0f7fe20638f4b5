"""The manual's calls from other languages, run against a service; what is not here is skipped."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import served

PAGE = (Path(__file__).parents[2] / "docs" / "calling.md").read_text("utf-8")
LOCAL = "http://127.0.0.1:8000"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served() as running:
        yield running.address


def example(language: str, service: str) -> str:
    """The page's one block in a language, asking `service`."""
    (code,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert LOCAL in code
    return str(code.replace(LOCAL, service))


def output_of(*command: str) -> str:
    found = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return found.stdout.decode("utf-8")


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on PATH")


def test_curl(service: str) -> None:
    """The command answers with the corrected text."""
    needs("curl")
    said = json.loads(output_of(*shlex.split(example("sh", service))))
    assert said["results"][0]["corrected"] == "今天天气真好，适合出去玩。"


def test_curl_of_windows(service: str) -> None:
    """The same request, quoted as the command prompt wants it: there a backslash stands before
    each inner quote."""
    (line,) = [line for line in example("bat", service).splitlines() if line.startswith("curl")]
    body = json.loads(re.sub(r'\\"', '"', line.partition(' -d "')[2].removesuffix('"')))
    assert body == json.loads(shlex.split(example("sh", service))[-1])


def test_java(service: str, tmp_path: Path) -> None:
    """The file runs as it stands, with nothing but the JDK."""
    needs("javac")
    (tmp_path / "Ask.java").write_text(example("java", service), "utf-8")
    flags = ("-Dfile.encoding=UTF-8", "-Xint", "-XX:+UseSerialGC")
    said = output_of("java", *flags, str(tmp_path / "Ask.java"))
    status, _, body = said.partition(" ")
    assert status == "200"
    assert json.loads(body)["results"][0]["sequence"] == "北京是中国的首都。"


def test_javascript(service: str, tmp_path: Path) -> None:
    """Node's own `fetch` is enough."""
    needs("node")
    (tmp_path / "ask.mjs").write_text(example("js", service), "utf-8")
    assert output_of("node", str(tmp_path / "ask.mjs")) == "北京是中国的首都。\n"


def test_the_client_in_node(service: str, tmp_path: Path) -> None:
    """The file that the service gives out works outside of browsers."""
    needs("node")
    client = output_of("curl", "-s", f"{service}/client.js") if shutil.which("curl") else ""
    if not client:
        pytest.skip("no curl on PATH")
    (tmp_path / "client.mjs").write_text(client, "utf-8")
    (tmp_path / "ask.mjs").write_text(
        f'import {{ Qingyu }} from "./client.mjs";\n'
        f'const qingyu = new Qingyu("{service}", {{ language: "zh" }});\n'
        "console.log((await qingyu.fillMask('北京是中国的首[MASK]。')).sequence);\n"
        "await qingyu.fillMask('没有空').catch((error) => console.log(error.code));\n",
        "utf-8",
    )
    assert output_of("node", str(tmp_path / "ask.mjs")) == "北京是中国的首都。\nno_mask\n"
