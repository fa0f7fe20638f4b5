"""What each character sounds like and what looks like it, as the file that proofreading reads.

    python -m training.sounds_and_shapes --vocab checkpoint/vocab.txt --source corpus/general.txt \\
        --font NotoSansCJK-Regular.ttc --real csc/sighan_train.jsonl \\
        --out src/qingyu/text/sounds_and_shapes.tsv

Readings are pypinyin's, the usual one first. Likeness is measured on drawn glyphs: each is drawn,
stretched to the same box and blurred at two widths (strokes and outline), and two characters look
alike by the cosine of the whole and by that of the larger part that is most alike (情 and 清 share
their right). Traditional characters are kept
with the simplified one that OpenCC gives them. Pairs that writers confuse are counted from
sentences with their corrections, never from those that anything is measured on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import RecipeError, run

Floats = NDArray[np.float32]

BOX = 48  # pixels
BLURS = (1.0, 2.5)  # pixels
WHOLE = (slice(None), slice(None))
HALF = int(0.6 * BOX)  # the larger part of a character: right, bottom, left, top
PARTS = (
    (slice(None), slice(BOX - HALF, None)),
    (slice(BOX - HALF, None), slice(None)),
    (slice(None), slice(None, HALF)),
    (slice(None, HALF), slice(None)),
)
LOOKALIKES = 12  # of a character, at most
ALIKE = 0.6  # mean of the cosines of the whole and of the likest part, from which two are alike
READINGS = 4
SEEN = 2  # times that a pair must have been confused
RARE = 200  # a character seen less often in the text is nobody's lookalike
TEXT_BYTES = 200 << 20  # of the source, read from its start, middle and end

HEADER = """\
# Sounds and shapes of Chinese characters, made by training/sounds_and_shapes.py.
# character, readings (usual one first; digit: tone), lookalikes (most alike first), characters that
# writers confuse with it (most often first), simplified form
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--vocab", type=Path, required=True, help="vocab.txt of the checkpoint")
    parser.add_argument("--source", type=Path, required=True, help="text to count characters in")
    parser.add_argument("--font", type=Path, required=True, help="a font with all characters")
    parser.add_argument("--real", type=Path, action="append", default=[], help="people's mistakes")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    args = parser.parse_args(arguments)
    seen = frequencies(args.source)
    words = args.vocab.read_text("utf-8").split("\n")
    known = [word for word in words if len(word) == 1 and "\u3400" <= word <= "\u9fff"]
    simplified = simplifications(set(known))
    modern = [char for char in known if char not in simplified]
    alike = lookalikes(modern, args.font, {c for c in modern if seen[c] >= RARE})
    sounds = readings(modern)
    mistaken = confused(args.real)
    lines = [f"{c}\t{','.join(sounds[c])}\t{alike[c]}\t{mistaken.get(c, '')}\t" for c in modern]
    lines += [f"{c}\t\t\t\t{plain}" for c, plain in sorted(simplified.items())]
    args.out.write_text(HEADER + "\n".join(lines) + "\n", "utf-8")
    print(f"{args.out}: {len(modern)} characters, {args.out.stat().st_size} bytes")


def frequencies(path: Path) -> Counter[str]:
    """How often each character stands in the text."""
    size = path.stat().st_size
    counted: Counter[str] = Counter()
    with path.open("rb") as file:
        for at in (0, max(0, size // 2), max(0, size - TEXT_BYTES // 3)):
            file.seek(at)
            counted.update(file.read(TEXT_BYTES // 3).decode("utf-8", "ignore"))
    return counted


def readings(characters: Sequence[str]) -> dict[str, list[str]]:
    """Up to READINGS readings of each, such as `hang2`, the usual one first.

    The usual one is what pypinyin gives the character alone; others count where its list of
    phrases uses them in at least one phrase in twenty: dictionaries list many that nobody uses.
    """
    from pypinyin import Style, pinyin
    from pypinyin.constants import PHRASES_DICT
    from pypinyin.contrib.tone_convert import to_tone3

    used: dict[str, Counter[str]] = {}
    for phrase, spelt in PHRASES_DICT.items():
        if len(phrase) == len(spelt):
            for char, (sound, *_) in zip(phrase, spelt, strict=True):
                used.setdefault(char, Counter())[sound] += 1
    found = {}
    for char in characters:
        counts = used.get(char, Counter())
        common = [one for one, n in counts.most_common() if n >= counts.total() / 20]
        tones = [to_tone3(one, neutral_tone_with_five=True) for one in common]
        style = {"style": Style.TONE3, "neutral_tone_with_five": True}
        usual = pinyin(char, **style)[0][0]
        plain = [one.replace("ü", "v") for one in dict.fromkeys([usual, *tones])]
        found[char] = [one for one in plain if one.isascii() and one[-1:].isdigit()][:READINGS]
    return found


def confused(files: Sequence[Path]) -> dict[str, str]:
    """For each character those that it was confused with SEEN times, either for the other, joined,
    most often first; from files of JSON lines with `text` and `correct` of one length."""
    counted: dict[str, Counter[str]] = {}
    for file in files:
        for row in map(json.loads, file.read_text("utf-8").splitlines()):
            for wrong, right in zip(row["text"], row["correct"], strict=True):
                if wrong != right and all("\u3400" <= c <= "\u9fff" for c in wrong + right):
                    counted.setdefault(wrong, Counter())[right] += 1
                    counted.setdefault(right, Counter())[wrong] += 1
    return {
        char: "".join(other for other, n in others.most_common() if n >= SEEN)
        for char, others in counted.items()
    }


def simplifications(known: set[str]) -> dict[str, str]:
    """Traditional characters and what each is in simplified text, one that is `known`."""
    from opencc import OpenCC

    convert = OpenCC("t2s").convert
    pairs = ((chr(code), convert(chr(code))) for code in range(0x4E00, 0xA000))
    return {char: plain for char, plain in pairs if plain != char and plain in known}


def lookalikes(characters: Sequence[str], font: Path, common: set[str]) -> dict[str, str]:
    """For each character those of `common` that look most like it, joined, most alike first."""
    drawn = drawings(characters, font)
    wanted = np.array([char in common for char in characters])
    names = np.array(characters)
    whole, *parts = [
        [unit(glyphs[:, rows, columns]) for glyphs in drawn] for rows, columns in (WHOLE, *PARTS)
    ]
    found = {}
    for at in range(0, len(characters), 512):
        now = slice(at, at + 512)
        likeness = (compared(whole, now) + np.max([compared(p, now) for p in parts], axis=0)) / 2
        likeness[:, ~wanted] = -1
        likeness[np.arange(len(likeness)), np.arange(at, at + len(likeness))] = -1
        for row, scores in enumerate(likeness):
            best = np.argsort(-scores, kind="stable")[:LOOKALIKES]
            found[characters[at + row]] = "".join(names[best[scores[best] >= ALIKE]])
    return found


def compared(views: Sequence[Floats], now: slice) -> Floats:
    """Mean cosine over the views of some characters with all: [some, characters]."""
    return np.mean([view[now] @ view.T for view in views], axis=0)


def unit(glyphs: Floats) -> Floats:
    """Glyphs [characters, rows, columns] as unit vectors, less what all have in common."""
    flat = glyphs.reshape(len(glyphs), -1)
    flat = flat - flat.mean(axis=0)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def drawings(characters: Sequence[str], font: Path) -> list[Floats]:
    """Glyphs [characters, BOX, BOX], one array a width of the blur. Raises RecipeError."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    try:
        face = ImageFont.truetype(str(font), BOX, index=2)  # simplified Chinese in Noto's files
    except OSError as error:
        raise RecipeError(f"{font}: {error}") from error
    drawn: list[list[Floats]] = [[] for _ in BLURS]
    for char in characters:
        page = Image.new("L", (2 * BOX, 2 * BOX))
        ImageDraw.Draw(page).text((BOX // 2, BOX // 4), char, fill=255, font=face)
        glyph = page.crop(page.getbbox() or (0, 0, BOX, BOX)).resize((BOX - 8, BOX - 8))
        page = Image.new("L", (BOX, BOX))
        page.paste(glyph, (4, 4))
        for blur, rows in zip(BLURS, drawn, strict=True):
            rows.append(np.asarray(page.filter(ImageFilter.GaussianBlur(blur)), np.float32))
    return [np.stack(rows) for rows in drawn]


if __name__ == "__main__":
    run(main)
