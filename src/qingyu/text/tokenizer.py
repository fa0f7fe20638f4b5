"""Text to ids and back, with the place of every token in the text as it was sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import tokenizers

from qingyu.errors import BundleError, InputError
from qingyu.numbers import IntArray

from .folding import Foldings
from .panics import is_panic

# A token's name in each family of vocabularies.
MASK = ("[MASK]", "<mask>")
UNKNOWN = ("[UNK]", "<unk>")
SKIPPED = -1
# Around a text: for what it will cost, about a token a character, before it is tokenised.
SPECIAL_TOKENS = 2
# Spaces beside a character that is written without them.
NOT_BETWEEN_WORDS = re.compile(r"(?<=[^\x00-\u04ff]) +| +(?=[^\x00-\u04ff])")
MAX_CHARACTERS = 1 << 16  # remembered with their ids


@dataclass(frozen=True)
class Tokens:
    """A tokenised text without special tokens: ids and [start, end) in its code points."""

    ids: list[int]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True)
class Frame:
    """Special tokens around the parts of an input: (ids, token type) before, between and after."""

    before: tuple[list[int], int]
    between: tuple[list[int], int]
    after: tuple[list[int], int]
    types: tuple[int, int]

    @property
    def size(self) -> int:
        return len(self.before[0]) + len(self.between[0]) + len(self.after[0])


def is_chinese(char: str) -> bool:
    """Whether a character is a CJK unified ideograph, extensions included."""
    code = ord(char)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x323AF


def whole_text(text: str) -> str:
    """`text` if it is valid Unicode. Raises InputError on half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "文本含有不成对的代理字符，不是合法的 Unicode。",
            "The text holds a lone surrogate, which is not valid Unicode.",
        ) from error
    return text


def _too_intricate() -> InputError:
    return InputError(
        "这个模型的分词器处理不了这段文本。", "This model's tokenizer gives up on this text."
    )


class Tokenizer:
    """The tokenizer of a bundle: ids, offsets, special tokens, and how inputs are framed."""

    def __init__(self, path: Path) -> None:
        """Raises BundleError where the file cannot be read or has no unknown token."""
        try:
            self._load(path)
        except BaseException as error:  # the binding raises plain Exception
            if not isinstance(error, Exception) and not is_panic(error):
                raise
            raise BundleError(
                f"无法读取分词器 {path}：{error}", f"Cannot read the tokenizer {path}: {error}"
            ) from error

    def _load(self, path: Path) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.unk_token = self._first(UNKNOWN)
        self.mask_token = self._first(MASK)
        self.mask_id = self._tokenizer.token_to_id(self.mask_token) if self.mask_token else None
        self.unk_id = self._tokenizer.token_to_id(self.unk_token) if self.unk_token else None
        self._special_ids = frozenset(
            token_id
            for token_id, token in self._tokenizer.get_added_tokens_decoder().items()
            if token.special
        )
        self._characters: dict[str, int | None] = {}
        self._foldings = Foldings(self._known)
        self.frame = self._frame(pair=False)
        self.pair_frame = self._frame(pair=True)

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.get_vocab_size()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the vocabulary: its tokens in the order of their ids, a line each."""
        tokens = (self.id_to_token(token_id) for token_id in range(len(self.surfaces)))
        return hashlib.sha256("\n".join(tokens).encode()).hexdigest()

    def tokens(self, text: str) -> Tokens:
        """Ids and offsets of `text`, no special tokens added. Characters that the vocabulary lacks
        are read as those that they stand for (`qingyu.text.folding`). Raises InputError on half a
        surrogate pair."""
        text = self._folded(whole_text(text))
        try:
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        except BaseException as error:
            if is_panic(error):
                raise _too_intricate() from None
            raise
        return Tokens(encoding.ids, encoding.offsets)

    def batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, as `tokens` has them. Raises InputError on half a surrogate pair."""
        whole = [self._folded(whole_text(text)) for text in texts]
        try:
            encodings = self._tokenizer.encode_batch_fast(whole, add_special_tokens=False)
        except BaseException as error:
            if is_panic(error):
                raise _too_intricate() from None
            raise
        return [one.ids for one in encodings]

    def characters(self, text: str) -> Tokens:
        """Ids and offsets with each character as a token of its own, spelt as the vocabulary
        spells it; white space and what the vocabulary's spelling leaves out have no token. Raises
        InputError on half a surrogate pair."""
        text = self._folded(whole_text(text))
        try:
            tokens = [(self._character_id(char), (i, i + 1)) for i, char in enumerate(text)]
        except BaseException as error:
            if is_panic(error):
                raise _too_intricate() from None
            raise
        kept = [(token_id, span) for token_id, span in tokens if token_id is not None]
        return Tokens([token_id for token_id, _ in kept], [span for _, span in kept])

    def framed(self, ids: Sequence[int]) -> tuple[IntArray, IntArray]:
        """`input_ids` and `token_type_ids`, int64 [length], of one part."""
        return self._join(self.frame, ids, None)

    def framed_pair(self, first: Sequence[int], second: Sequence[int]) -> tuple[IntArray, IntArray]:
        """`input_ids` and `token_type_ids`, int64 [length], of two parts."""
        return self._join(self.pair_frame, first, second)

    def token_to_id(self, token: str) -> int | None:
        return self._tokenizer.token_to_id(token)

    def id_to_token(self, token_id: int) -> str:
        """The vocabulary's own spelling, such as 好 or ##ing."""
        return self._tokenizer.id_to_token(token_id) or ""

    def decode(self, ids: Sequence[int]) -> str:
        """The text that tokens make, special ones left out; of the spaces that WordPiece puts
        between all tokens only those between Latin words."""
        text = str(self._tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
        return NOT_BETWEEN_WORDS.sub("", text) if self.marks_continuations else text

    def surface(self, token_id: int) -> str:
        """A token as it reads inside a text: no ## and no mark of a space."""
        token = self.id_to_token(token_id)
        if token.startswith("##") and len(token) > 2:
            return token[2:]
        if token in ("▁", "##") or not token or (len(token) == 1 and is_chinese(token)):
            return token
        return self._tokenizer.decode([token_id], skip_special_tokens=False).strip()

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special_ids

    @property
    def special_ids(self) -> frozenset[int]:
        return self._special_ids

    @property
    def marks_continuations(self) -> bool:
        """Whether pieces inside a word have a mark, such as the ## of WordPiece."""
        return bool(getattr(self._tokenizer.model, "continuing_subword_prefix", None))

    @property
    def parts_characters(self) -> bool:
        """Whether Chinese characters and punctuation are tokens by themselves wherever they stand,
        as BERT's pre-tokenizer has it."""
        steps = json.loads(self._tokenizer.to_str())
        kinds = {(steps[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer")}
        return kinds == {"BertNormalizer", "BertPreTokenizer"}

    @cached_property
    def plain_ids(self) -> IntArray:
        """All tokens but the special ones, int64 [n], in the order of their ids."""
        known = set(self._tokenizer.get_vocab().values())
        return np.array(sorted(known - self._special_ids), np.int64)

    @cached_property
    def surfaces(self) -> list[str]:
        """Every token as it reads inside a text, by its id."""
        highest = max(self._tokenizer.get_vocab().values())
        return [self.surface(token_id) for token_id in range(highest + 1)]

    @cached_property
    def chinese_ids(self) -> IntArray:
        """Tokens that are one Chinese character, int64 [n], in the order of their ids."""
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        ids = [i for token, i in vocabulary.items() if len(token) == 1 and is_chinese(token)]
        return np.array(sorted(ids), np.int64)

    def _folded(self, text: str) -> str:
        return text if self.unk_id is None else self._foldings.fold(text)

    def _known(self, text: str) -> bool:
        return self.unk_id not in self._tokenizer.encode(text, add_special_tokens=False).ids

    def _character_id(self, char: str) -> int | None:
        known = self._characters.get(char)
        if known is None:
            normal = char
            if self._tokenizer.normalizer is not None:
                normal = self._tokenizer.normalizer.normalize_str(char)
            normal = normal.strip()
            known = self._tokenizer.token_to_id(normal) if normal else SKIPPED
            known = self.unk_id if known is None else known
            if len(self._characters) < MAX_CHARACTERS:
                self._characters[char] = known
        return None if known == SKIPPED else known

    def _first(self, names: Sequence[str]) -> str | None:
        return next((name for name in names if self._tokenizer.token_to_id(name) is not None), None)

    def _frame(self, pair: bool) -> Frame:
        """Read off how the tokenizer frames an input, by framing a probe."""
        probe = ("1", "1") if pair else ("1",)
        encoding = self._tokenizer.encode(*probe)
        parts: list[tuple[list[int], int]] = [([], 0), ([], 0), ([], 0)]
        types = [0, 0]
        seen = -1
        for token_id, kind, sequence in zip(
            encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True
        ):
            if sequence is not None:
                seen = sequence
                types[sequence] = kind
                continue
            place = 0 if seen < 0 else 2 if seen == len(probe) - 1 else 1
            parts[place] = ([*parts[place][0], token_id], kind)
        return Frame(parts[0], parts[1], parts[2], (types[0], types[1]))

    @staticmethod
    def _join(
        frame: Frame, first: Sequence[int], second: Sequence[int] | None
    ) -> tuple[IntArray, IntArray]:
        pieces = [frame.before, (first, frame.types[0]), frame.between]
        if second is not None:
            pieces.append((second, frame.types[1]))
        pieces.append(frame.after)
        ids = [token_id for piece, _ in pieces for token_id in piece]
        types = [kind for piece, kind in pieces for _ in piece]
        return np.array(ids, np.int64), np.array(types, np.int64)
