"""What the Dockerfile says, done in roots made by debootstrap where there is no container engine.

    sudo python -m tests.deploy.clean_root [--cache FOLDER]

COPY, RUN, ENV, WORKDIR, USER, HEALTHCHECK, ENTRYPOINT and CMD are read from `deploy/Dockerfile` and
followed, each stage in a root of its own; the base is Debian with the same Python in place of
`python:3.13-slim`. Then the service runs as the image's user on a read-only root with `/tmp` and
`/jobs` alone to write to, the image's own health check is asked, a mask is filled, and it is told
to stop. Printed: megabytes of the base and of what the image adds to it, and the service's memory.

Needs root, debootstrap and the registries of Debian and PyPI.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SUITE = "trixie"  # which has Python 3.13
PACKAGES = "python3,python3-pip,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PASSED_ON = re.compile(
    r"(PIP_|https?_proxy|no_proxy)", re.IGNORECASE
)  # how this machine finds PyPI
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY_SECONDS = 60.0
TEXT = "今天天气真[MASK]啊。"

# In a mount namespace of its own, so that nothing of it outlives the service.
READ_ONLY = """
mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"
mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"
mount -t tmpfs -o mode=1777 tmp "$0/tmp"
mount -t tmpfs -o mode=700,uid=10001,gid=10001 jobs "$0/jobs"
exec chroot --userspec="$1" "$0" "${@:2}"
"""


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, rest), lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.M)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (one.partition(" ") for one in lines) if word]


def megabytes(folder: Path) -> float:
    told = subprocess.run(["du", "-sx", "-B1", folder], capture_output=True, check=True, text=True)
    return int(told.stdout.split()[0]) / 1e6


@dataclass
class Stage:
    """One root, and what the instructions so far have set for it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    folder: str = "/"
    user: str = "0:0"
    said: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> None:
        outer = {name: value for name, value in os.environ.items() if PASSED_ON.match(name)}
        shell = ["chroot", str(self.root), "/bin/sh", "-ec", f"cd {self.folder}; {command}"]
        subprocess.run(shell, env={**outer, **self.env}, check=True)

    def copy(self, sources: list[Path], target: str) -> None:
        """As COPY does: a folder's contents, files into a folder that ends with a slash."""
        into = self.root / os.path.normpath(f"{self.folder}/{target}").lstrip("/")
        for source in sources:
            if source.is_dir():
                unwanted = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True, ignore=unwanted)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, into)

    def set(self, text: str) -> None:
        for name, value in re.findall(r"(\w+)=(\S+)", text):
            self.env[name] = value.replace("$PATH", self.env["PATH"])


def base(folder: Path) -> Path:
    """A Debian with Python, under the names it has in Python's own image; made once."""
    made = folder / "base"
    if not (made / "usr/local/bin/python").is_symlink():
        shutil.rmtree(made, ignore_errors=True)
        options = ["--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["debootstrap", *options, SUITE, made], check=True, stdout=sys.stderr)
        shutil.copy2(CERTIFICATES, made / str(CERTIFICATES).lstrip("/"))
        shutil.copy2("/etc/resolv.conf", made / "etc/resolv.conf")
        (made / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return made


def build(dockerfile: Path, context: Path, folder: Path) -> Stage:
    """The last stage, after all instructions. Raises CalledProcessError for a RUN that fails."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in instructions(dockerfile):
        if word == "FROM":
            _, _, name = rest.partition(" AS ")
            stage = Stage(folder / (name or "image"))
            shutil.rmtree(stage.root, ignore_errors=True)
            subprocess.run(["cp", "-a", base(folder), stage.root], check=True)
            stages[name] = stage
        elif word == "COPY":
            *sources, target = rest.split()
            origin = context
            if sources[0].startswith("--from="):
                origin = stages[sources.pop(0).partition("=")[2]].root
            stage.copy([origin / source.lstrip("/") for source in sources], target)
        elif word == "RUN":
            stage.run(rest)
        elif word == "ENV":
            stage.set(rest)
        elif word == "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "USER":
            stage.user = rest
        else:
            stage.said[word] = rest
    return stage


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def serve(image: Stage) -> dict[str, Any]:
    """Run the image's command on a read-only root, ask it, stop it. Raises AssertionError."""
    port = free_port()
    env = {
        **image.env,
        "QINGYU_HOST": "127.0.0.1",
        "QINGYU_PORT": str(port),
        "QINGYU_JOBS": "/jobs",
    }
    command = [*json.loads(image.said["ENTRYPOINT"]), *json.loads(image.said["CMD"])]
    inside = ["unshare", "-m", "bash", "-ec", READ_ONLY, str(image.root), image.user]
    health = json.loads(image.said["HEALTHCHECK"].partition("CMD ")[2])
    began = time.monotonic()
    process = subprocess.Popen([*inside, *command], env=env, stderr=subprocess.PIPE, text=True)
    try:
        checked = ["chroot", f"--userspec={image.user}", str(image.root), *health]
        while subprocess.run(checked, env=env, capture_output=True, check=False).returncode:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() - began < READY_SECONDS, "never ready"
        ready = time.monotonic() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\s+10001\s", status, re.M), status
        found = ask(port, {"text": TEXT})["results"][0]
        assert "[MASK]" not in found["sequence"], found
        enter = ["nsenter", "-t", str(process.pid), "-m", "-r", "touch", "/opt/new"]
        told = subprocess.run(enter, capture_output=True, check=False, text=True)
        assert "Read-only" in told.stderr, told  # even for root
        memory = re.search(r"^VmHWM:\s+(\d+)", status, re.M)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return {
        "ready_seconds": round(ready, 1),
        "service_mb": round(int(memory[1]) / 1e3) if memory else None,
        "sequence": found["sequence"],
    }


def ask(port: int, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/fill-mask",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def rehearse(folder: Path) -> dict[str, Any]:
    """All of it; sizes in millions of bytes on the disk."""
    image = build(ROOT / "deploy" / "Dockerfile", ROOT, folder)
    below = megabytes(base(folder))
    return {
        "base_mb": round(below, 1),
        "added_mb": round(megabytes(image.root) - below, 1),
        **serve(image),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where to keep the base for another time")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(rehearse(chosen.cache or Path(made)), ensure_ascii=False))


if __name__ == "__main__":
    main()
