"""The masks of a text: how they are spelt, where they stand, and queries about them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qingyu.errors import NoMaskError, TextTooLongError, TooManyMasksError
from qingyu.query import Query
from qingyu.results import Span
from qingyu.tasks.context import Context
from qingyu.tasks.parts.parameters import checked_strings
from qingyu.text import windows

MAX_MASKS = 64
MASK = "[MASK]"
# [MASK] in any case, and as Chinese keyboards write it: in other square or angle brackets, with
# spaces inside, in full-width letters.
ALWAYS = r"[\[［【〔]\s*(?:mask|ｍａｓｋ)\s*[\]］】〕]|[<＜〈《]\s*(?:mask|ｍａｓｋ)\s*[>＞〉》]"
# What people draw a blank with, however wide.
COMMON = {"___": r"_{2,}", "（ ）": r"[（(][ \u3000]*[)）]", "□": r"[□▢]"}


@dataclass(frozen=True)
class Blanks:
    """A text with masks, as tokens.

    ids, offsets: of the tokens; offsets in the text as sent
    masks:        indices of the masks among the tokens
    spans:        where each mask stands in the text
    windows:      the window of tokens in which each mask is seen
    """

    context: Context
    head: str
    text: str
    ids: list[int]
    masks: list[int]
    spans: list[Span]
    windows: list[Span]
    unread: tuple[Span, ...]

    def query(self, asked: Sequence[int], filled: Mapping[int, int]) -> Query:
        """Ask at some masks that share a window, with tokens put in some others; both by number."""
        start, end = self.windows[asked[0]]
        ids = list(self.ids[start:end])
        for number, token_id in filled.items():
            place = self.masks[number]
            if start <= place < end:
                ids[place - start] = token_id
        return self.context.query(ids, [self.masks[number] - start for number in asked], self.head)

    def spread(self, number: int, pieces: Sequence[int], asked: int) -> Query:
        """Ask about one of several `pieces` that together take the place of a mask."""
        place = self.masks[number]
        ids = [*self.ids[:place], *pieces, *self.ids[place + 1 :]]
        start, end = windows.around(place, place + len(pieces), len(ids), self.context.room)
        return self.context.query(ids[start:end], [place + asked - start], self.head)

    def runs(self) -> list[list[int]]:
        """Numbers of the masks that stand side by side, run by run."""
        together: list[list[int]] = []
        for number, place in enumerate(self.masks):
            if together and self.masks[number - 1] == place - 1:
                together[-1].append(number)
            else:
                together.append([number])
        return together


def find_blanks(
    context: Context, head: str, text: str, mask: str | Sequence[str], truncate: str
) -> Blanks:
    """The masks of `text`, each seen in a window around it where the text is too long.

    Where `mask` asks for no spelling of its own and no [MASK] is there, the common ways to draw a
    blank count: ___, （ ） and □.

    Raises InputError, NoMaskError, TooManyMasksError and, where `truncate` is "error",
    TextTooLongError.
    """
    tokenizer = context.tokenizer
    matches = list(spellings(mask).finditer(text))
    if not matches and mask == MASK:
        matches = list(spellings(list(COMMON)).finditer(text))
    if not matches:
        raise NoMaskError
    if len(matches) > MAX_MASKS:
        raise TooManyMasksError(len(matches), MAX_MASKS)
    name = tokenizer.mask_token or ""
    pieces, last = [], 0
    for match in matches:
        pieces += [text[last : match.start()], name]
        last = match.end()
    tokens = tokenizer.tokens("".join([*pieces, text[last:]]))
    masks = [i for i, token_id in enumerate(tokens.ids) if token_id == tokenizer.mask_id]
    room = context.room
    if len(tokens.ids) > room and truncate == "error":
        raise TextTooLongError(len(tokens.ids), room)
    seen = []
    read = []
    for group in windows.groups(masks, room):
        read.append(windows.around(group[0], group[-1] + 1, len(tokens.ids), room))
        seen += [read[-1]] * len(group)
    spans = [match.span() for match in matches]
    offsets = _as_sent(tokens.offsets, spans, len(name))
    unread = windows.unread(text, offsets, read)
    return Blanks(context, head, text, tokens.ids, masks, spans, seen, unread)


def spellings(mask: str | Sequence[str]) -> re.Pattern[str]:
    """What counts as a mask: [MASK] always, and what was asked for, a common spelling in all its
    widths. Raises InputError."""
    asked = checked_strings([mask] if isinstance(mask, str) else mask, "mask")
    wanted = sorted({one for one in asked if one != MASK}, key=lambda one: (-len(one), one))
    return re.compile(
        "|".join([ALWAYS, *(COMMON.get(one, re.escape(one)) for one in wanted)]), re.IGNORECASE
    )


def _as_sent(offsets: Sequence[Span], spans: Sequence[Span], width: int) -> list[Span]:
    """Offsets in a text whose `spans` were each replaced by `width` characters, as they are in the
    text itself."""
    starts, ends, shift = [], [0], 0
    for start, end in spans:
        starts.append(start + shift)
        shift += width - (end - start)
        ends.append(shift)

    def back(at: int) -> int:
        number = bisect_right(starts, at)
        if number and at < starts[number - 1] + width:  # inside a mask
            return spans[number - 1][0]
        return at - ends[number]

    return [
        (back(start), back(end - 1) + 1 if end > start else back(end)) for start, end in offsets
    ]
