"""Labels of tokens as people write them, brought to the form B-PER that the rest reads.

What a label says shows only in the whole set: `M` is a middle beside `B`, `E` and `S`, and a kind
of its own beside `F`. So a set is of a scheme, or it is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

OUTSIDE = frozenset({"o", "out", "outside", "other", "others", "none", "无", "其他"})
PADDING = frozenset(
    {"x", "pad", "cls", "sep", "unk", "start", "stop", "bos", "eos", "start_tag", "stop_tag", "##"}
)
PLACES = "BIOESMULW"
WORD = "WORD"  # the one kind that word segmenters tell
PREFIXED = re.compile(rf"([{PLACES}])[-_.:/|](.+)", re.IGNORECASE)
SUFFIXED = re.compile(rf"(.+)[-_.:/|]([{PLACES}])", re.IGNORECASE)
SINGLE = {"W": "S"}  # what BMEW calls a word of one token
# Letters that a scheme is made of in lower case.
SCHEMES = tuple(map(frozenset, ("bi", "bie", "bies", "bme", "bmes", "bmew", "bilu", "bes", "be")))


def in_scheme(labels: Sequence[str]) -> tuple[str, ...] | None:
    """The labels in the form B-PER and O, in their order; None where they are of no scheme.

    Read are B_PER, PER-B, b-per, bare letters of word segmenters, W as a word of one token, and
    labels of padding, which say nothing and become O.
    """
    for read in (_prefixed, _suffixed, _bare):
        parts = [_outside(label) or read(label) for label in labels]
        known = [part for part in parts if part is not None]
        places = {place.lower() for place, kind in known if kind}
        if len(known) == len(labels) and places in SCHEMES:
            return tuple(
                f"{SINGLE.get(place, place)}-{kind}" if kind else "O" for place, kind in known
            )
    return None


def _outside(label: str) -> tuple[str, str] | None:
    plain = label.strip("[]<>() ").lower()
    return ("O", "") if plain in OUTSIDE or plain in PADDING else None


def _prefixed(label: str) -> tuple[str, str] | None:
    match = PREFIXED.fullmatch(label)
    return (match[1].upper(), match[2]) if match else None


def _suffixed(label: str) -> tuple[str, str] | None:
    match = SUFFIXED.fullmatch(label)
    return (match[2].upper(), match[1]) if match else None


def _bare(label: str) -> tuple[str, str] | None:
    return (label.upper(), WORD) if len(label) == 1 and label.upper() in PLACES else None
