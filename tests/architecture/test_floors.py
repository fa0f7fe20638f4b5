"""The house stays as docs/architecture.md draws it: who may import whom, at what cost."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "qingyu"
DRAWING = ROOT / "docs" / "architecture.md"
MAX_LINES = 350

# A unit is a file or folder directly under src/qingyu. It imports from floors below its own, and
# from itself; those of floor -1 are under everything.
FLOORS = {
    "errors": -1,
    "display": -1,
    "numbers": -1,
    "plan": -1,
    "tensors": -1,
    "machine": 0,
    "query": 0,
    "results": 0,
    "bundle": 0,
    "settings": 1,
    "taught": 1,
    "text": 2,
    "engine": 2,
    "tasks": 3,
    "phrases": 3,
    "teach": 4,
    "search": 4,
    "model": 5,
    "client": 6,
    "jobs": 6,
    "service": 7,
    "web": 8,
    "scale": 9,
    "cli": 10,
    "__init__": 11,
    "__main__": 11,
}
# `build` stands beside the floors: it sees floors 0 to 5, and only the CLI sees it.
BUILD_SEES_UP_TO = 5
# Tasks turn text into queries and arrays into answers; what runs in between is not their business.
STRANGERS = {("tasks", "engine"), ("engine", "tasks")}
ASYNC_UNITS = {"client", "service", "web"}
# Never a dependency, not even an optional one.
BANNED = {"torch", "transformers"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    """`src/qingyu/text/tokenizer.py` -> `text/tokenizer.py`: readable test ids."""
    return path.relative_to(PACKAGE).as_posix()


def unit(path: Path) -> str:
    top = path.relative_to(PACKAGE).parts[0]
    return top.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of all modules a file imports, at any depth of its code, with the line."""
    package = ["qingyu", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def units_imported(path: Path) -> Iterator[tuple[str, int]]:
    units = {file.stem for file in PACKAGE.glob("*.py")} | {
        folder.name for folder in PACKAGE.iterdir() if folder.is_dir()
    }
    for module, line in imported(path):
        parts = module.split(".")
        if parts[0] == "qingyu":
            yield (parts[1] if len(parts) > 1 and parts[1] in units else "__init__"), line


def may_import(importer: str, target: str) -> bool:
    if importer == target:
        return True
    if importer == "build":
        return FLOORS[target] <= BUILD_SEES_UP_TO
    if target == "build":
        return importer == "cli"
    if (importer, target) in STRANGERS:
        return False
    return FLOORS[target] < FLOORS[importer]


@pytest.mark.parametrize("path", sources(), ids=name)
def test_imports_point_downwards(path: Path) -> None:
    """No file imports from its own floor or above, however deep inside a function it does so."""
    assert unit(path) in {*FLOORS, "build"}, f"give {unit(path)} a floor here and in {DRAWING.name}"
    upward = [
        f"{name(path)}:{line} imports {target}"
        for target, line in units_imported(path)
        if not may_import(unit(path), target)
        # The public face and the version may be read by those who show or serve them.
        and not (target == "__init__" and unit(path) in {"cli", "web", "build", "jobs"})
    ]
    assert not upward


def test_an_upward_import_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk sees relative, absolute and nested imports, so the rule above can fail."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    for folder in ("engine", "tasks", "web"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "engine" / "session.py"
    path.write_text(
        "from qingyu.web import app\n"
        "def f():\n"
        "    from ..tasks import fill_mask\n"
        "    import qingyu.engine.batch\n",
        encoding="utf-8",
    )
    assert [(u, line) for u, line in units_imported(path) if not may_import("engine", u)] == [
        ("web", 1),
        ("tasks", 3),
    ]


def modules_imported() -> dict[str, set[str]]:
    """Each module of the package, and those of the package that it imports."""
    modules = {
        ".".join(("qingyu", *path.relative_to(PACKAGE).with_suffix("").parts)): path
        for path in sources()
        if path.name != "__init__.py"
    }
    return {
        module: {
            part for full, _ in imported(path) for part in (full, full.rpartition(".")[0])
        }.intersection(modules)
        for module, path in modules.items()
    }


def circles(graph: dict[str, set[str]]) -> set[str]:
    """What is left when those that import nothing (any more) are taken away, again and again."""
    left = dict(graph)
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    return set(left)


def test_no_modules_import_each_other() -> None:
    """No module comes back to itself by way of what it imports, inside functions included."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}
    assert not circles(modules_imported())


@pytest.mark.parametrize("path", sources(), ids=name)
def test_nobody_imports_a_training_framework(path: Path) -> None:
    """PyTorch and transformers make reference outputs; the package never asks for them."""
    assert not [m for m, _ in imported(path) if m.split(".")[0] in BANNED]


@pytest.mark.parametrize("path", sources(), ids=name)
def test_only_the_service_and_the_web_are_asynchronous(path: Path) -> None:
    """The core is synchronous: it can be called from anywhere and tested without a loop."""
    if unit(path) in ASYNC_UNITS:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, kinds)]
    assert "asyncio" not in {module.split(".")[0] for module, _ in imported(path)}


@pytest.mark.parametrize("path", sources(), ids=name)
def test_importing_does_nothing(path: Path) -> None:
    """A module defines things; it calls nothing for its effect while it is imported."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    calls = [n.lineno for n in body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
    if name(path) != "cli/__init__.py":  # which hangs its commands on the application
        assert not calls


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_has_one_job(path: Path) -> None:
    """A file that outgrew its limit has a second noun in it."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_a_class_has_a_name_of_its_own() -> None:
    """One name means one class in the whole package, so that a search finds what is meant."""
    homes: dict[str, list[str]] = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name(path))
    assert not {one: files for one, files in homes.items() if len(files) > 1}


def test_the_drawing_names_every_unit() -> None:
    """The document and this test speak of the same house."""
    drawing = DRAWING.read_text(encoding="utf-8")
    built = {unit(path) for path in sources()}
    assert not {u for u in built if f"{u}.py" not in drawing and f"{u}/" not in drawing}


@pytest.mark.parametrize(
    ("room", "folder"),
    [("service/", "service"), ("api/", "web/api"), ("edge/", "web/edge")],
)
def test_the_drawing_names_files_that_are_there(room: str, folder: str) -> None:
    """What the drawing says of a room is there, so a renamed file is renamed in it, too."""
    rooms = DRAWING.read_text(encoding="utf-8").partition("## Rooms")[2]
    told = rooms[rooms.index(room) + len(room) :].partition("(")[0]
    names = re.findall(r"[a-z_]+", told)
    assert len(names) > 8
    assert not [one for one in names if not (PACKAGE / folder / f"{one}.py").is_file()]


def modules_after(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter holds after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


HEAVY = {
    "onnxruntime", "onnx", "safetensors", "tokenizers", "huggingface_hub", "fastapi", "starlette",
    "uvicorn", "pydantic", "pydantic_settings", "prometheus_client", "typer", "rich",
}  # fmt: skip


def test_import_qingyu_is_light() -> None:
    """`import qingyu` brings nothing heavy: whoever needs it pays for it, when it is needed."""
    assert not modules_after("import qingyu") & HEAVY


def test_the_command_line_waits_to_import() -> None:
    """`qingyu --help` needs the parser alone, neither a runtime nor a web framework."""
    assert not modules_after("import qingyu.cli") & (
        HEAVY - {"typer", "rich", "pydantic"} | {"numpy"}
    )
