"""Documents by the ending of their name."""

from __future__ import annotations

from pathlib import Path

from .compression import split
from .document import Document
from .errors import FileError
from .sources import FORMATS
from .text_document import TextDocument
from .word_document import WordDocument

PLAIN = ("txt",)
FOREIGN = (".pdf", ".doc", ".wps", ".rtf", ".odt", ".ppt", ".pptx", ".html", ".htm", ".epub")


def read_document(path: Path) -> Document:
    """Raises FileError, for tables and for what is no text among others, and MissingLibraryError
    for .docx without the extra `docx`."""
    ending, compression = split(path)
    if ending == ".docx":
        return WordDocument(path)
    if compression or ending == ".xls" or FORMATS.get(ending, "txt") not in PLAIN:
        raise FileError(
            f"{path} 是表格或压缩文件，请逐行处理：qingyu batch 任务 {path} 输出文件",
            f"{path} is a table or compressed; answer its rows: qingyu batch TASK {path} OUTPUT",
        )
    if ending in FOREIGN:
        raise FileError(
            f"{path} 读不了，请另存为 .docx 或 .txt。",
            f"{path} cannot be read; save it as .docx or .txt.",
        )
    return TextDocument(path)
