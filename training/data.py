"""Text files to packed rows of token ids. Needs numpy and tokenizers, not torch.

    lines  --kind-->  plain sentences  --tokenizer-->  texts  --pack-->  rows of a fixed length

A row holds several texts, each framed [CLS] ... [SEP]. `doc` tells the texts of a row apart (0 is
padding), so that attention stays inside each text, and `pos` starts again at 0 with each text.

Nothing is tokenised ahead of time. Work is cut into *parts*: part `n` is a pure function of the
recipe and `n`, so any number of worker processes give the same rows in the same order, training
starts when the first part is ready, and a resumed run reads on where it stopped. A file is cut
into chunks at line ends and its chunks are read in a fresh random order every epoch; no file is
ever read whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from training.errors import RecipeError
from training.sources import CHUNK_BYTES, HeldOut, Source, TextFile
from training.templates import KINDS

SHORTEST = 2  # a text of fewer tokens teaches nothing

_TO_HALF = str.maketrans("，。！？：；（）", ",.!?:;()")
_TO_FULL = str.maketrans(
    ",!?:;()", "，！？：；（）"
)  # not ".": it may end a number or an abbreviation
_HALF_AFTER_HANZI = re.compile(r"(?<=[\u4e00-\u9fff])[,!?:;()]")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the rows of a part. Plain data, so that worker processes can be
    handed it.
    """

    sources: tuple[Source, ...]
    tokenizer: str
    held_out: tuple[str, ...] = ()
    seed: int = 0
    part_bytes: int = 16 << 20
    width_rate: float = 0.1
    mask_rate: float = 0.2
    span_share: float = 0.5
    whole_words: bool = False


@dataclass
class Rows:
    """Packed rows, every array [rows, length]: ids uint16, doc uint8, pos uint16, focus uint8,
    inner bool.

    `focus` numbers the stretches of a row that the source wants learnt (an idiom, the answer of a
    fact); 0 is none. `inner` is True for a token that goes on with the word of the one before it,
    as far as a list of words was asked.
    """

    ids: np.ndarray
    doc: np.ndarray
    pos: np.ndarray
    focus: np.ndarray
    inner: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray | slice) -> Rows:
        return Rows(*(getattr(self, f.name)[index] for f in fields(self)))


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that must be there."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise RecipeError(f"the tokenizer has no {token}; the recipe needs BERT's special tokens")
    return found


def vary_width(text: str, rng: np.random.Generator, rate: float) -> str:
    """With probability `rate`, turn full-width punctuation half-width; else, as often, the other
    way after a hanzi.

    One character for one, so positions in the text stay true.
    """
    draw = rng.random()
    if draw < rate:
        return text.translate(_TO_HALF)
    if draw < 2 * rate:
        return _HALF_AFTER_HANZI.sub(lambda m: m.group().translate(_TO_FULL), text)
    return text


class Piece(NamedTuple):
    """A text or a part of one: ids uint16 [n], focus uint8 [n] (stretch numbers within the text),
    inner bool [n].
    """

    ids: np.ndarray
    focus: np.ndarray
    inner: np.ndarray


def encode(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    spans: Sequence[Sequence[tuple[int, int]]],
    longest: int,
    whole_words: bool = False,
) -> Iterator[Piece]:
    """Texts to pieces of at most `longest` tokens. `spans` are the character stretches to focus
    on, for each text. Words are told apart where they are asked for.
    """
    encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    for text, encoding, marked in zip(texts, encodings, spans, strict=True):
        ids = np.array(encoding.ids, dtype=np.uint16)
        focus = np.zeros(len(ids), dtype=np.uint8)
        inner = np.zeros(len(ids), dtype=bool)
        offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        for number, (start, stop) in enumerate(marked, 1):
            focus[(offsets[:, 0] < stop) & (offsets[:, 1] > start)] = number
        if whole_words:
            inner = inside_words(text)[offsets[:, 0]]
        for at in range(0, len(ids), longest):
            if len(ids) - at >= SHORTEST:
                to = at + longest
                yield Piece(ids[at:to], focus[at:to], inner[at:to])


def inside_words(text: str) -> np.ndarray:
    """bool [characters]: True where a word of jieba's list goes on, False where one begins."""
    import jieba  # only this needs it

    inside = np.ones(len(text), dtype=bool)
    at = 0
    for word in jieba.cut(text, HMM=False):
        inside[at] = False
        at += len(word)
    return inside


def pack(pieces: Sequence[Piece], length: int, cls_id: int, sep_id: int) -> Rows:
    """Put each piece, framed by [CLS] and [SEP], into the fullest row that still has room (best
    fit, longest first).
    """
    by_room: list[list[int]] = [
        [] for _ in range(length + 1)
    ]  # rows by the tokens they still have room for
    contents: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: len(p.ids), reverse=True):
        need = len(piece.ids) + 2
        if need > length:
            raise ValueError(f"a piece of {need - 2} tokens does not fit a row of {length}")
        room = next((r for r in range(need, length) if by_room[r]), length)
        if room == length:
            contents.append([])
            row = len(contents) - 1
        else:
            row = by_room[room].pop()
        contents[row].append(piece)
        by_room[room - need].append(row)

    shape = (len(contents), length)
    rows = Rows(
        *(np.zeros(shape, dtype=kind) for kind in (np.uint16, np.uint8, np.uint16, np.uint8, bool))
    )
    for row, held in enumerate(contents):
        at = seen = 0
        for number, (ids, focus, inner) in enumerate(held, 1):
            stop = at + len(ids) + 2
            rows.ids[row, at], rows.ids[row, stop - 1] = cls_id, sep_id
            rows.ids[row, at + 1 : stop - 1] = ids
            rows.doc[row, at:stop] = number
            rows.pos[row, at:stop] = np.arange(stop - at)
            rows.focus[row, at + 1 : stop - 1] = np.where(focus > 0, focus + seen, 0)
            rows.inner[row, at + 1 : stop - 1] = inner
            seen += int(focus.max(initial=0))
            at = stop
    return rows


def join_lines(lines: Iterable[str], characters: int) -> Iterator[str]:
    """Run neighbouring lines together until a text has about `characters`, so that long positions
    meet long texts.
    """
    held = ""
    for line in lines:
        held += line
        if len(held) >= characters:
            yield held
            held = ""
    if held:
        yield held


class Mixture:
    """The sources of a recipe, opened: gives any part of it as packed rows."""

    def __init__(self, recipe: Recipe) -> None:
        if not recipe.sources:
            raise RecipeError("no text to train on: give at least one --source")
        self.recipe = recipe
        self.tokenizer = Tokenizer.from_file(recipe.tokenizer)
        if self.tokenizer.get_vocab_size() > 1 << 16:
            raise RecipeError(
                f"{recipe.tokenizer}: more than 65,536 tokens do not fit the rows' 16 bits"
            )
        self.held_out = HeldOut(recipe.held_out)
        total = sum(source.weight for source in recipe.sources)
        self._files: list[
            tuple[TextFile, int]
        ] = []  # a file and how many of its chunks go into a part
        for source in recipe.sources:
            wanted = recipe.part_bytes * source.weight / total / self._growth(source)
            file = TextFile(source.path, int(min(CHUNK_BYTES, max(1024, wanted))))
            self._files.append((file, max(1, round(wanted / file.chunk_bytes))))

    @staticmethod
    def _growth(source: Source) -> float:
        """How much longer a line becomes when its kind writes it into a sentence."""
        lines = TextFile(source.path).lines(0)[:200]
        rng = np.random.default_rng(0)
        written = sum(len(KINDS[source.kind](line, rng)[0]) for line in lines)
        return max(0.1, written / max(1, sum(map(len, lines))))

    def _lines(self, index: int, part: int) -> Iterator[str]:
        """The lines of source `index` in this part: the next few chunks of an endless row of
        shuffled epochs.
        """
        file, take = self._files[index]
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for at in range(part * take, (part + 1) * take):
            if at // file.chunks != epoch:
                epoch = at // file.chunks
                order = np.random.default_rng([self.recipe.seed, index, epoch]).permutation(
                    file.chunks
                )
            yield from (
                line
                for line in file.lines(int(order[at % file.chunks]))
                if not self.held_out.covers(line)
            )

    def part(self, number: int, length: int, joined: bool = False) -> Rows:
        """Packed rows [rows, length] of part `number`, in random order. `joined` makes plain text
        fill whole rows.
        """
        rng = np.random.default_rng([self.recipe.seed, number])
        pieces: list[Piece] = []
        for index, source in enumerate(self.recipe.sources):
            lines: Iterable[str] = self._lines(index, number)
            if joined and source.kind == "text":
                lines = join_lines(lines, length)
            texts, spans = [], []
            for line in lines:
                text, focus = KINDS[source.kind](line, rng)
                if text and not self.held_out.covers(
                    text
                ):  # a snippet shows only once it is cut out
                    texts.append(vary_width(text, rng, self.recipe.width_rate))
                    spans.append(focus)
            pieces += encode(self.tokenizer, texts, spans, length - 2, self.recipe.whole_words)
        if not pieces:
            raise RecipeError(
                f"part {number}: no text left in {[s.path for s in self.recipe.sources]}"
            )
        cls_id, sep_id = (token_id(self.tokenizer, token) for token in ("[CLS]", "[SEP]"))
        rows = pack(pieces, length, cls_id, sep_id)
        return rows.take(rng.permutation(len(rows)))
