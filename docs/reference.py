"""The reference part of the manual, made from what the program says of itself.

    python docs/reference.py    writes it into docs/cli.md, http.md, python.md, quality.md, docs/zh

What `--help`, the OpenAPI document, docstrings and the model's card say goes below a marker at the
end of each page; what is above it is written by hand. `tests/test_reference.py` compares.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qingyu import bundle, errors, results
from qingyu.cli import run
from qingyu.client import Client
from qingyu.model import Model, ZeroShotClassifier, load, pipeline
from qingyu.settings import Settings
from qingyu.web.app import create_app

DOCS = Path(__file__).parent
MARKER = "<!-- below: written by docs/reference.py -->"
LANGUAGES = ("en", "zh")
MEASURED = re.compile(r"<!-- quality:.*?-->\n(.*?)\n<!-- end of quality -->", re.DOTALL)
BOUNDS = re.compile(r"\[(?:default|required|x>|[\d.]+<)[^\[\]]*\]$")
TYPE = re.compile(r" <(?:list\[)?(?:int|float|str|path|Path|bool)\]?(?: range)?>$")
WORDS = {
    "reference": ("Reference", "参考"),
    "figures": ("Figures", "数字"),
    "command": ("What `--help` says of each command.", "每条命令的 `--help`。"),
    "argument": ("argument or option", "参数或选项"),
    "meaning": ("meaning", "含义"),
    "address": (
        "Every address, from `/openapi.json`; fields in bold are required.",
        "全部地址，取自 `/openapi.json`；粗体的字段必填。",
    ),
    "field": ("field", "字段"),
    "type": ("type", "类型"),
    "bodies": ("Bodies", "请求体"),
    "in path": ("in the path", "在路径中"),
    "in query": ("in the query", "在查询串中"),
    "body": ("Body", "请求体"),
    "api": ("From the docstrings of the code.", "取自代码中的说明，为英文。"),
    "fields": ("Fields", "字段"),
    "errors": ("All errors", "全部错误"),
    "error": ("error", "错误"),
    "kind of": ("a kind of", "属于"),
    "measured": ("As measured, from the model's card.", "实测，取自模型卡。"),
    "measures": ("task, set, rows, measure, value", "任务, 数据集, 行数, 指标, 值"),
}


class Told(NamedTuple):
    """What `--help` shows: paragraphs, and rows of (name, meaning) by their heading."""

    usage: str
    paragraphs: list[str]
    rows: dict[str, list[tuple[str, str]]]


def said(text: str, language: str) -> str:
    """The half of a bilingual text, Chinese first, that is in a language; else the text."""
    halves = re.match(r"(.*?)\s*/ (.*)$", text) or re.match(r"(.*。) ([A-Z].*)$", text)
    if halves is None:
        return text
    chinese, english = halves.groups()
    tail = BOUNDS.search(english)  # belongs to both
    return english if language == "en" else chinese + (f" {tail[0]}" if tail else "")


def cell(text: str) -> str:
    """Text as it may stand in a table."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<")


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] if rows else []


# -- the command line ---------------------------------------------------------------------------


def help_of(*command: str) -> Told:
    """What `qingyu COMMAND --help` says, read from its output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), _width(100):
        run([*command, "--help"])
    told = Told("", [], {})
    heading = ""
    for block in out.getvalue().split("\n\n"):
        lines = block.strip("\n").splitlines()
        if lines and re.fullmatch(r"[A-Z]\w+:", lines[0]):
            heading = lines[0][:-1]
            told.rows[heading] = list(_rows(lines[1:]))
        else:
            told.paragraphs.append(" ".join(line.strip() for line in lines))
    usage, *paragraphs = told.paragraphs
    return Told(usage.removeprefix("Usage: "), paragraphs, told.rows)


def _rows(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Names at two spaces, with their meaning behind them or further in on the next lines."""
    name, words = "", list[str]()
    for line in lines:
        if re.match(r"  \S", line):
            if name:
                yield name, " ".join(words)
            name, _, first = line.strip().partition("  ")
            words = [first.strip()] if first else []
        else:
            words.append(line.strip())
    if name:
        yield name, " ".join(words)


@contextlib.contextmanager
def _width(columns: int) -> Iterator[None]:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def commands(*command: str) -> Iterator[tuple[tuple[str, ...], Told]]:
    """Each command with what it says, groups before what is in them."""
    told = help_of(*command)
    yield command, told
    for name, _ in told.rows.get("Commands", ()):
        yield from commands(*command, name)


def cli(language: str) -> list[str]:
    word = _words(language)
    lines = [word("command")]
    for command, told in commands():
        lines += ["", f"### {' '.join(('qingyu', *command))}", ""]
        lines += ["\n\n".join(said(one, language) for one in told.paragraphs), ""]
        lines += [f"`{told.usage}`"]
        rows = [
            (f"`{TYPE.sub('', name)}`".replace("|", r"\|"), cell(said(meaning, language)))
            for heading in ("Arguments", "Options")
            for name, meaning in told.rows.get(heading, ())
            if name != "-h, --help"
        ]
        lines += ["", *table((word("argument"), word("meaning")), rows)]
    return lines


# -- HTTP ---------------------------------------------------------------------------------------


def http(language: str) -> list[str]:
    word = _words(language)
    document = _openapi()
    lines = [word("address")]
    bodies: dict[str, Any] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += ["", f"### {method.upper()} {path}", ""]
            lines += [said(operation["summary"], language), ""]
            rows = [
                (
                    f"`{one['name']}`",
                    type_of(one["schema"]),
                    cell(said(one.get("description", ""), language) or word(f"in {one['in']}")),
                )
                for one in operation.get("parameters", ())
            ]
            lines += [*table((word("field"), word("type"), word("meaning")), rows), ""]
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                if name:
                    bodies[name] = document["components"]["schemas"][name]
                link = f" [{name}](#{name.lower()})" if name else ""
                lines += [f"- {word('body')} `{kind}`{link}"]
    lines += ["", f"## {word('bodies')}"]
    for name, schema in bodies.items():
        lines += ["", f"### {name}", ""]
        required = schema.get("required", ())
        rows = [
            (
                f"**`{field}`**" if field in required else f"`{field}`",
                type_of(one),
                cell(said(one.get("description", ""), language)),
            )
            for field, one in schema["properties"].items()
        ]
        lines += table((word("field"), word("type"), word("meaning")), rows)
    return lines


def _openapi() -> dict[str, Any]:
    """The document that the service serves."""
    from starlette.testclient import TestClient

    with tempfile.TemporaryDirectory() as jobs:
        app = create_app(Settings(_env_file=None, jobs=Path(jobs)))
        # Without its lifespan: nothing is loaded.
        answer = TestClient(app, base_url="http://localhost").get("/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


def type_of(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words: its type, choices, bounds and default."""
    if "enum" in schema or "const" in schema:
        kind = " \\| ".join(f"`{one}`" for one in schema.get("enum", [schema.get("const")]))
    elif "anyOf" in schema:
        kind = " \\| ".join(dict.fromkeys(type_of(one) for one in schema["anyOf"]))
    elif schema.get("type") == "array":
        kind = f"[{type_of(schema.get('items', {}))}]"
    else:
        kind = schema.get("type", schema.get("$ref", "").rpartition("/")[2] or "any")
    bounds = [
        f"{sign} {schema[name]:,}"
        for name, sign in (
            ("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("maxItems", "≤"),
            ("maxProperties", "≤"), ("maxLength", "≤"),
        )
        if name in schema
    ]  # fmt: skip
    default = schema.get("default")
    told = [*bounds, *([] if default in (None, [], {}, "") else [f"`{default}`"])]
    return f"{kind} ({', '.join(told)})" if told else str(kind)


# -- Python -------------------------------------------------------------------------------------


def python(language: str) -> list[str]:
    word = _words(language)
    lines = [word("api")]
    for name, one in (("load", load), ("pipeline", pipeline), ("to_frame", results.to_frame)):
        lines += ["", *_described(f"qingyu.{name}", one)]
    for owner in (Model, ZeroShotClassifier, Client):
        lines += ["", f"### {owner.__name__}", "", _prose(owner)]
        for name, one in _members(owner):
            if not name.startswith("_"):
                lines += ["", *_described(name, one)]
    lines += ["", f"## {word('fields')}"]
    for name, one in vars(results).items():
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            lines += ["", f"### {name}", "", _prose(one), ""]
            rows = [
                (f"`{field.name}`", f"`{cell(str(field.type))}`")
                for field in dataclasses.fields(one)
            ]
            lines += table((word("field"), word("type")), rows)
    lines += ["", f"## {word('errors')} (`qingyu.errors`)", ""]
    told = [
        (f"`{one.__name__}`", f"`{one.code}`", f"`{one.__mro__[1].__name__}`")
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.QingyuError)
    ]
    return lines + table((word("error"), "`code`", word("kind of")), told)


def _members(owner: type) -> Iterator[tuple[str, Any]]:
    """What a class has and inherits from ours, bases first."""
    for one in reversed(owner.__mro__[:-1]):
        yield from vars(one).items()


def _described(name: str, one: Any) -> list[str]:
    """A function, method or property: its signature and what its docstring says."""
    if isinstance(one, property):
        return [f"#### {name}", "", _prose(one)]
    signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(one)))
    signature = re.sub(r"^\(self(?:, )?", "(", signature)
    return [f"#### {name}", "", f"`{name.rpartition('.')[2]}{signature}`", "", _prose(one)]


def _prose(one: Any) -> str:
    """A docstring: each paragraph on a line, and in a list what is said of each parameter."""
    told = []
    for paragraph in (inspect.getdoc(one) or "").split("\n\n"):
        items = re.split(r"^(?=\w+(?:, \w+)*: )", paragraph, flags=re.MULTILINE)
        plain, *listed = (" ".join(item.split()) for item in items)
        marked = [re.sub(r"^(.*?): ", r"- `\1`: ", item) for item in listed]
        told.append("\n".join([plain, *marked] if plain else marked))
    return "\n\n".join(told)


# -- how good the model is -----------------------------------------------------------------------


def quality(language: str) -> list[str]:
    """The figures of the card of the model in the package."""
    word = _words(language)
    card = bundle.find(bundle.DEFAULT) / "README.md"
    measured = MEASURED.search(card.read_text("utf-8"))
    assert measured, f"{card} has no measured figures"  # noqa: S101 then there is nothing to say
    of, _, *lines = measured[1].strip().splitlines()
    rows = [tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in lines[2:]]
    return [word("measured"), "", f"`{of}`", "", *table(tuple(word("measures").split(", ")), rows)]


# -- pages --------------------------------------------------------------------------------------


PAGES: dict[str, Callable[[str], list[str]]] = {
    "cli.md": cli, "http.md": http, "python.md": python, "quality.md": quality,
}  # fmt: skip


def _words(language: str) -> Callable[[str], str]:
    return lambda key: WORDS[key][LANGUAGES.index(language)]


def page(name: str, language: str) -> Path:
    return (DOCS / "zh" if language == "zh" else DOCS) / name


def made(name: str, language: str) -> str:
    """A whole page: what is written by hand, and the reference made anew."""
    by_hand = page(name, language).read_text("utf-8").partition(MARKER)[0].rstrip()
    heading = f"## {_words(language)('figures' if name == 'quality.md' else 'reference')}"
    reference = "\n".join([MARKER, "", heading, "", *PAGES[name](language)])
    return re.sub(r"\n{3,}", "\n\n", f"{by_hand}\n\n{reference}\n")


if __name__ == "__main__":
    for name in PAGES:
        for language in LANGUAGES:
            page(name, language).write_text(made(name, language), "utf-8")
