"""Documents: paragraphs out, corrected copies back, and what must not change."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from qingyu.jobs.document import Change, changes_of
from qingyu.jobs.documents import read_document
from qingyu.jobs.errors import FileError
from qingyu.jobs.text_document import TextDocument
from qingyu.jobs.word_document import new_document
from qingyu.results import Candidate, CheckResult, Suspect

etree = pytest.importorskip("lxml.etree")
NS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
W = f"{{{NS}}}"


def mended(text: str, wrong: str, right: str) -> Change:
    """One piece of a text changed."""
    start = text.index(wrong)
    return Change(start, start + len(wrong), right)


def test_only_what_was_changed_is_a_change() -> None:
    """Hints and suspects without a candidate stay out."""
    better = (Candidate("气", None, 0.9, ""),)
    suspects = (
        Suspect("汽", 1, 2, 0.1, better, "同音", 0.9, True),
        Suspect("好", 2, 3, 0.7, better, "同音", 0.3, False),
        Suspect("“", 3, 4, 0.1, (), "标点", 0.9, True),
    )
    assert changes_of(CheckResult("天汽好“", "天气好“", suspects)) == [Change(1, 2, "气")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_text_keeps_all_but_what_is_put_right(tmp_path: Path, encoding: str) -> None:
    """Line ends, blank lines, spaces, the encoding and its mark stay as they were."""
    path, out = tmp_path / "作文.txt", tmp_path / "改.txt"
    text = "  今天天汽好。 \r\n\r\n\n第二段很长很长。\r第三段"
    path.write_bytes((text * 3).encode(encoding))
    document = TextDocument(path)
    assert document.paragraphs[1] == "  今天天汽好。 "
    assert 2 not in document.paragraphs
    document.write(out, {1: [mended(document.paragraphs[1], "汽", "气")]})
    assert out.read_bytes() == (text * 3).replace("汽", "气", 1).encode(encoding)
    document.write(out, {})
    assert out.read_bytes() == path.read_bytes()


def test_fenced_code_is_passed_over(tmp_path: Path) -> None:
    """Markdown's code is no prose; what stands around it is."""
    path = tmp_path / "a.md"
    path.write_text("# 标题\n~~~~py\n代码\n~~~\n~~~~\n正文\n```\n没有结束\n", "utf-8")
    document = read_document(path)
    assert document.paragraphs == {1: "# 标题", 6: "正文"}
    assert document.unchecked[1] == "fenced code"


def word(path: Path, body: str, *others: str) -> Path:
    """A .docx with this body."""
    main = f'<w:document xmlns:w="{NS}"><w:body>{body}</w:body></w:document>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", main)
        for other in others:
            archive.writestr(other, f"<x>{other}</x>")
    return path


BODY = (
    "<w:p><w:pPr><w:jc/></w:pPr><w:r><w:rPr><w:b/></w:rPr><w:t>他的身</w:t></w:r>"
    "<w:r><w:t>体很建</w:t><w:tab/><w:t>康。</w:t></w:r></w:p>"
    "<w:p/><w:tbl><w:tr><w:tc><w:p><w:r><w:t>表中一段</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
)


def texts(root: object, tag: str) -> list[str]:
    return [element.text for element in root.iter(W + tag)]  # type: ignore[attr-defined]


def test_word_gets_tracked_changes(tmp_path: Path) -> None:
    """What is replaced is a deletion, what is put there an insertion that looks like it; all other
    parts are the same bytes."""
    path = word(tmp_path / "a.docx", BODY, "word/styles.xml", "word/header1.xml")
    document = read_document(path)
    assert document.paragraphs == {1: "他的身体很建\t康。", 3: "表中一段"}
    assert "headers" in document.unchecked[1]
    out = tmp_path / "b.docx"
    document.write(out, {1: [mended(document.paragraphs[1], "身体很建", "身子很健")]})
    with zipfile.ZipFile(out) as archive:
        assert archive.read("word/styles.xml") == b"<x>word/styles.xml</x>"
        root = etree.fromstring(archive.read("word/document.xml"))
    assert texts(root, "delText") == ["身", "体很建"]
    [inserted] = root.iter(f"{W}ins")
    assert texts(inserted, "t") == ["身子很健"]
    assert inserted.find(f".//{W}b") is not None
    assert inserted.get(f"{W}author")
    assert texts(root, "t") == ["他的", "身子很健", "康。", "表中一段"]
    assert len(list(root.iter(f"{W}tab"))) == 1


def test_rejecting_all_changes_gives_the_old_text(tmp_path: Path) -> None:
    """Without insertions and with deletions the text is the old one; two changes in one run."""
    path = word(tmp_path / "a.docx", "<w:p><w:r><w:t>天汽好，公圆美。</w:t></w:r></w:p>")
    document = read_document(path)
    text = document.paragraphs[1]
    changes = [mended(text, "汽", "气"), mended(text, "圆", "园")]
    document.write(tmp_path / "b.docx", {1: changes})
    with zipfile.ZipFile(tmp_path / "b.docx") as archive:
        root = etree.fromstring(archive.read("word/document.xml"))
    assert "".join(texts(root, "t")) == "天气好，公园美。"
    for inserted in list(root.iter(f"{W}ins")):
        inserted.getparent().remove(inserted)
    old = [e.text for e in root.iter(f"{W}t", f"{W}delText")]
    assert "".join(old) == text


def test_words_are_put_in_where_nothing_is_replaced(tmp_path: Path) -> None:
    """At the front, between runs, at the end and into an empty paragraph; a place that is not
    there is told."""
    path = tmp_path / "a.docx"
    path.write_bytes(new_document(["天好。", ""]))
    document = read_document(path)
    put = [Change(0, 0, "今"), Change(1, 1, "气"), Change(3, 3, "呀")]
    document.write(path, {1: put, 2: [Change(0, 0, "完")]})
    assert read_document(path).paragraphs == {1: "今天气好。呀", 2: "完"}
    for wrong in ({1: [Change(2, 9, "")]}, {3: [Change(0, 0, "x")]}, {1: [put[1], put[0]]}):
        with pytest.raises(FileError):
            document.write(path, wrong)


def test_what_is_no_document_is_told(tmp_path: Path) -> None:
    """A file that is not what its name says, or not text at all, is one clear error."""
    for name, data in [("a.docx", b"no zip"), ("a.txt", b"\xff\xfe\x00\x81\xff" * 9)]:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(FileError):
            read_document(path)
    empty = tmp_path / "b.docx"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(FileError, match="Word"):
        read_document(empty)
    bomb = "<!DOCTYPE x [<!ENTITY a 'b'>]><w:document xmlns:w='x'>&a;</w:document>"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("word/document.xml", bomb)
    assert read_document(empty).paragraphs == {}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Writing is whole or not at all, and says why not."""
    path = tmp_path / "a.txt"
    path.write_text("好", "utf-8")
    with pytest.raises(FileError):
        read_document(path).write(tmp_path / "no" / "a.txt", {})
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
