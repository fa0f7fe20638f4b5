"""Documents by the ending of their name."""

from __future__ import annotations

from pathlib import Path

from .document import Document
from .text_document import TextDocument
from .word_document import WordDocument


def read_document(path: Path) -> Document:
    """Raises FileError, and MissingLibraryError for .docx without the extra `docx`."""
    return WordDocument(path) if path.suffix.lower() == ".docx" else TextDocument(path)
