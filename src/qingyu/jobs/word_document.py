"""Word documents (.docx, ECMA-376): paragraphs out, corrections back as tracked changes.

What a change replaces becomes a deletion and what it puts there an insertion, both by the author
轻语, so that the writer accepts or rejects each in Word or WPS. All else of the file stays
as it is. Needs lxml (extra `docx`): the standard library's parser loses prefixes that Word wants.
"""

from __future__ import annotations

import copy
import io
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

from .document import Change, Changes, write_whole
from .errors import FileError, MissingLibraryError
from .opening import open_regular, told
from .sources import Source

MAIN = "word/document.xml"
ASIDE = ("word/header", "word/footer", "word/footnotes", "word/endnotes", "word/comments")
LARGEST_BYTES = 256 << 20  # of all parts, unpacked
LARGEST_MAIN = 64 << 20
AUTHOR = "轻语 Qingyu"
TITLE_SIZE = "28"  # half points
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
SPACE = "{http://www.w3.org/XML/1998/namespace}space"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CONTENT_TYPES = (
    f'{HEAD}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/{MAIN}" ContentType="{OFFICE}.main+xml"/></Types>'
)
RELATIONS = (
    f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    f'Target="{MAIN}"/></Relationships>'
)
UNTOLD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # not of XML
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


class WordDocument:
    """A .docx; its paragraphs are those of the body, of tables and of text boxes."""

    def __init__(self, path: Path) -> None:
        self._etree = _lxml()
        source = Source(path, "docx")
        with told(source, (*DAMAGE, self._etree.XMLSyntaxError)):
            with open_regular(source) as file:
                self._data = file.read(LARGEST_BYTES + 1)
            archive = zipfile.ZipFile(io.BytesIO(self._data))
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > LARGEST_BYTES:
                raise FileError("展开后太大。", "unpacks to too much.")
            names = {part.filename for part in parts}
            if MAIN not in names or archive.getinfo(MAIN).file_size > LARGEST_MAIN:
                raise FileError(
                    "不是 Word 文档，或正文太大。", "is no Word document, or too large."
                )
            self._root = self._parsed(archive.read(MAIN))
        self._elements = dict(enumerate(self._root.iter(f"{W}p"), 1))
        texts = ((number, _text(element)) for number, element in self._elements.items())
        self.paragraphs = {number: text for number, text in texts if text.strip()}
        aside = any(name.startswith(ASIDE) for name in names)
        self.unchecked = (
            ("页眉、页脚、脚注和批注", "headers, footers, notes and comments")
            if aside
            else ("", "")
        )

    def _parsed(self, data: bytes) -> Any:
        parser = self._etree.XMLParser(resolve_entities=False, no_network=True)
        return self._etree.fromstring(data, parser)

    def write(self, path: Path, changes: Changes) -> None:
        root = copy.deepcopy(self._root)
        elements = dict(enumerate(root.iter(f"{W}p"), 1))
        marks = _Marks(self._etree, root)
        for number, some in changes.items():
            size = len(_text(elements[number])) if number in elements else -1
            ends = [0, *(place for one in some for place in (one.start, one.end)), size]
            if ends != sorted(ends):
                raise FileError(
                    f"第 {number} 段没有这样的位置。", f"Paragraph {number} has no such place."
                )
            for one in reversed(some):  # from the right, so that places stay true
                marks.change(elements[number], one)
        main = self._etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        packed = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(self._data)) as old,
            zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            for part in old.infolist():
                new.writestr(part, main if part.filename == MAIN else old.read(part))
        write_whole(path, packed.getvalue())


class _Marks:
    """Tracked changes put into one document: numbered, dated, by one author."""

    def __init__(self, etree: Any, root: Any) -> None:
        self._etree = etree
        ids = (
            element.get(f"{W}id", "") for tag in ("ins", "del") for element in root.iter(W + tag)
        )
        self._last = max((int(one) for one in ids if one.isdecimal()), default=9000)
        self._now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    def change(self, paragraph: Any, one: Change) -> None:
        """What is replaced becomes a deletion, and what comes there an insertion."""
        self._split(paragraph, one.end)
        self._split(paragraph, one.start)
        runs: list[Any] = []
        before = None
        for run, _, first, last in _pieces(paragraph):
            if last <= one.start:
                before = run
            elif first >= one.start and last <= one.end and run not in runs:
                runs.append(run)
        for run in runs:
            deleted = self._mark("del")
            run.addprevious(deleted)
            deleted.append(run)
            for child in run.findall(f"{W}t"):
                child.tag = f"{W}delText"
        if one.text:
            inserted = self._mark("ins")
            run = self._run(runs[0] if runs else before)
            run.append(self._words(one.text))
            inserted.append(run)
            beside = runs[-1].getparent() if runs else before
            if beside is not None:
                beside.addnext(inserted)
            else:
                looks = paragraph.find(f"{W}pPr")
                paragraph.insert(0 if looks is None else 1, inserted)

    def _split(self, paragraph: Any, at: int) -> None:
        """Make a run begin at a place of the paragraph's text."""
        for run, element, first, last in _pieces(paragraph):
            if first <= at < last:
                if at == first and element.getprevious() in (None, run.find(f"{W}rPr")):
                    return
                rest = self._run(run)
                moved = list(element.itersiblings())
                words = element.text or ""
                if at > first:
                    element.text = words[: at - first]
                    element.set(SPACE, "preserve")
                    rest.append(self._words(words[at - first :]))
                else:
                    rest.append(element)
                rest.extend(moved)
                run.addnext(rest)
                return

    def _mark(self, kind: str) -> Any:
        self._last += 1
        values = {"id": str(self._last), "author": AUTHOR, "date": self._now}
        return self._etree.Element(W + kind, {W + name: value for name, value in values.items()})

    def _run(self, like: Any) -> Any:
        """An empty run that looks like another, if there is one."""
        run = self._etree.Element(f"{W}r")
        looks = None if like is None else like.find(f"{W}rPr")
        if looks is not None:
            run.append(copy.deepcopy(looks))
        return run

    def _words(self, text: str) -> Any:
        element = self._etree.Element(f"{W}t")
        element.text = UNTOLD.sub("", text)
        element.set(SPACE, "preserve")
        return element


def new_document(
    lines: Sequence[str], *, titles: Collection[int] = (), pages: Collection[int] = ()
) -> bytes:
    """A Word document that has these paragraphs and nothing else. By their index, `titles` are
    bold and larger, and `pages` begin a page. Raises MissingLibraryError."""
    etree = _lxml()
    root = etree.Element(f"{W}document", nsmap={"w": W[1:-1]})
    body = etree.SubElement(root, f"{W}body")
    for i, line in enumerate(lines):
        paragraph = etree.SubElement(body, f"{W}p")
        if i in pages:
            etree.SubElement(etree.SubElement(paragraph, f"{W}pPr"), f"{W}pageBreakBefore")
        run = etree.SubElement(paragraph, f"{W}r")
        if i in titles:
            looks = etree.SubElement(run, f"{W}rPr")
            etree.SubElement(looks, f"{W}b")
            etree.SubElement(looks, f"{W}sz").set(f"{W}val", TITLE_SIZE)
        words = etree.SubElement(run, f"{W}t")
        words.text = UNTOLD.sub("", line)
        words.set(SPACE, "preserve")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr(
            MAIN, etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        )
    return packed.getvalue()


def _text(paragraph: Any) -> str:
    return "".join(_shown(element) for _, element, _, _ in _pieces(paragraph))


def _pieces(paragraph: Any) -> Iterator[tuple[Any, Any, int, int]]:
    """Run, element and place [start, end) of all that is text of this paragraph itself: not of a
    text box inside it, nor what was deleted."""
    at = 0
    for run in paragraph.iter(f"{W}r"):
        holder = next(run.iterancestors(f"{W}p"))
        if holder is not paragraph or any(True for _ in run.iterancestors(FALLBACK)):
            continue
        for element in run:
            words = _shown(element)
            if words:
                yield run, element, at, at + len(words)
                at += len(words)


def _shown(element: Any) -> str:
    """What a child of a run adds to the text."""
    if element.tag == f"{W}t":
        return element.text or ""
    return {f"{W}tab": "\t", f"{W}br": "\n", f"{W}cr": "\n"}.get(element.tag, "")


def _lxml() -> Any:
    try:
        return import_module("lxml.etree")
    except ImportError as error:
        raise MissingLibraryError("Word (.docx)", "lxml") from error
