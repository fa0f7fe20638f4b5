"""Files that an operator was given: bundles, tokenizers and checkpoints that mislead."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from qingyu import bundle
from qingyu.build.sources.tokenizer import read_tokenizer
from qingyu.build.sources.torch_file import read_file
from qingyu.errors import BundleError, CheckpointError, InputError
from qingyu.text.tokenizer import Tokenizer

# Backtracks for ever on a row of a; the library gives up by a panic.
INTRICATE = "(a|a)*$|(?:a+)+b"


@pytest.fixture
def default(tmp_path: Path) -> Path:
    """A copy of the default bundle's manifest, beside links to its files."""
    source = bundle.find(bundle.DEFAULT)
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in source.iterdir():
        if path.name != bundle.MANIFEST:
            (folder / path.name).symlink_to(path)
    (folder / bundle.MANIFEST).write_bytes((source / bundle.MANIFEST).read_bytes())
    return folder


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    path = folder / bundle.MANIFEST
    values = json.loads(path.read_bytes())
    change(values)
    path.write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../other/head.onnx", "a/b.onnx", "..\\a.onnx", ".."]
)
@pytest.mark.parametrize("field", ["file", "weights", "layers", "phrases"])
def test_a_manifest_names_files_of_its_own_folder(default: Path, field: str, name: str) -> None:
    """Each file of a head, and the phrase memory's, is a plain name: nothing outside of the bundle
    is opened."""

    def lead_out(values: dict[str, Any]) -> None:
        if field == "phrases":
            values["phrases"] = {"file": name, "version": 1}
        else:
            next(iter(values["heads"].values()))[field] = name

    with pytest.raises(BundleError, match="is no file's name"):
        bundle.read_manifest(changed(default, lead_out))


def test_a_head_has_a_file(default: Path) -> None:
    """A head without a graph is refused as well; without weights or layers of its own it is not."""
    heads = bundle.read_manifest(default).heads.values()
    assert not all(head.layers for head in heads)
    changed(default, lambda values: next(iter(values["heads"].values())).update(file=""))
    with pytest.raises(BundleError, match="is no file's name"):
        bundle.read_manifest(default)


def test_a_manifest_names_no_path_among_its_checksums(default: Path) -> None:
    """Nor do the checksums lead anywhere else."""
    changed(default, lambda values: values["files"].update({"../x": {"bytes": 1, "sha256": ""}}))
    with pytest.raises(BundleError, match="is no file's name"):
        bundle.read_manifest(default)


def test_a_manifest_without_checksums_is_not_intact(default: Path) -> None:
    """`files: {}` verifies nothing, and says so; so does a file that answers are computed with and
    that the manifest passes over."""
    bundle.verify(bundle.read_manifest(default))
    with pytest.raises(BundleError, match=r"no checksum of encoder"):
        bundle.verify(bundle.read_manifest(changed(default, lambda v: v["files"].clear())))


def test_a_file_beside_the_checksums(default: Path) -> None:
    """Weights that the manifest does not know are not trusted; texts for people are."""
    (default / "LIESMICH.txt").write_text("x")
    bundle.verify(bundle.read_manifest(default))
    (default / "other.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"no checksum of other\.bin"):
        bundle.verify(bundle.read_manifest(default))


def write_tokenizer(path: Path) -> Path:
    made = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]")
    )
    made.normalizer = tokenizers.normalizers.Replace(tokenizers.Regex(INTRICATE), "x")
    made.save(str(path))
    return path


def test_a_panic_of_the_tokenizer_is_an_error(tmp_path: Path) -> None:
    """A regular expression that gives up on a text is that text's error, and others go on."""
    tokenizer = Tokenizer(write_tokenizer(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="gives up on this text"):
        tokenizer.tokens("a" * 200 + "c")
    assert tokenizer.tokens("好").ids == [0]


def test_a_tokenizer_that_panics_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In building and in loading, what the library gives up on is an error; an interrupt is not."""
    write_tokenizer(tmp_path / "tokenizer.json")
    raised: list[BaseException] = []

    class Broken:
        @staticmethod
        def from_file(path: str) -> object:
            raise raised[0]

    monkeypatch.setattr(tokenizers, "Tokenizer", Broken)
    raised[:] = [type("PanicException", (BaseException,), {})("gave up")]
    with pytest.raises(BundleError, match="gave up"):
        Tokenizer(tmp_path / "tokenizer.json")
    with pytest.raises(CheckpointError, match="gave up"):
        read_tokenizer(tmp_path)
    raised[:] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        Tokenizer(tmp_path / "tokenizer.json")


def test_a_byte_order_that_unpacks_to_gigabytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a member that should be a word only its beginning is read."""
    path = tmp_path / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}.")
        archive.writestr("m/byteorder", b"x" * (64 << 20))
    read: list[int] = []
    whole = zipfile.ZipExtFile.read

    def counting(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        data = whole(self, n)
        read.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    with pytest.raises(CheckpointError, match="byte order"):
        read_file(path)
    assert sum(read) < 1000
