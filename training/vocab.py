"""Make a vocabulary: one token per Chinese character, WordPiece for everything written with spaces.

    python -m training.vocab --source general.txt --source emphasis.txt --size 12280 --out vocab

Characters are counted and kept from the most frequent down; Latin words and numbers get what room
is left, up to `--latin` of it. Writes vocab.txt, tokenizer.json and tokenizer_config.json as
transformers' BertTokenizerFast has them.
"""

from __future__ import annotations

import argparse
import json
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from training.errors import run
from training.sources import Source, TextFile

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
UNUSED = tuple(f"[unused{i}]" for i in range(11))  # room for tokens a user may want to name later
ALPHANUMERIC = string.digits + string.ascii_lowercase
LONGEST_WORD = 100
UNKNOWN = {"unk_token": "[UNK]"}


def is_word(pretoken: str) -> bool:
    """Whether WordPiece must learn this pre-token; a lone character gets its own token instead."""
    return len(pretoken) > 1 and pretoken.isascii()


def build_vocab(lines: Iterable[str], size: int, latin: float = 0.3) -> list[str]:
    """The tokens, in order of id. `latin` is the greatest share of the room that Latin pieces may
    take.
    """
    normalise, split = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    characters: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for line in lines:
        for token, _ in split.pre_tokenize_str(normalise.normalize_str(line)):
            if is_word(token):
                words[token] += 1
            else:
                characters.update(token)

    base = [
        *SPECIAL,
        *UNUSED,
        *sorted({*string.punctuation, *ALPHANUMERIC}),
        *(f"##{c}" for c in ALPHANUMERIC),
    ]
    room = size - len(base)
    if room < 0:
        raise ValueError(f"a vocabulary of {size} has no room for its {len(base)} fixed tokens")
    known = set(base)
    frequent = [
        c
        for c, _ in sorted(characters.items(), key=lambda item: (-item[1], item[0]))
        if c not in known
    ]
    pieces = [
        p for p in word_pieces(words, int(room * latin) + len(ALPHANUMERIC) * 2) if p not in known
    ]
    pieces = pieces[: int(room * latin)]
    return (base + frequent[: room - len(pieces)] + pieces)[:size]


def word_pieces(words: Counter[str], size: int) -> Sequence[str]:
    """WordPiece tokens of the counted words, in the order they were learnt."""
    tokenizer = Tokenizer(models.WordPiece({}, **UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, initial_alphabet=list(ALPHANUMERIC), min_frequency=2, show_progress=False
    )
    # A word is shown as often as it occurs, within reason: counts past 10,000 change no merge that
    # matters.
    tokenizer.train_from_iterator(
        (f"{word} " * min(count, 10_000) for word, count in sorted(words.items())), trainer
    )
    vocab = tokenizer.get_vocab()
    return sorted(vocab, key=vocab.__getitem__)


def make_tokenizer(vocab: Sequence[str]) -> Tokenizer:
    """The BERT tokenizer over these tokens."""
    ids = {token: i for i, token in enumerate(vocab)}
    tokenizer = Tokenizer(models.WordPiece(ids, **UNKNOWN, max_input_chars_per_word=LONGEST_WORD))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"])
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def write_tokenizer(vocab: Sequence[str], out: Path, longest: int = 512) -> None:
    """Write the three tokenizer files of a checkpoint into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "vocab.txt").write_text("".join(f"{token}\n" for token in vocab), encoding="utf-8")
    make_tokenizer(vocab).save(str(out / "tokenizer.json"))
    config: dict[str, Any] = {"tokenizer_class": "BertTokenizerFast", "do_lower_case": True}
    for name in ("unk", "sep", "pad", "cls", "mask"):
        config[f"{name}_token"] = f"[{name.upper()}]"
    config["model_max_length"] = longest
    (out / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--source", action="append", required=True, type=Source.parse, help="PATH, a text file"
    )
    parser.add_argument(
        "--out", required=True, type=Path, help="folder for the three tokenizer files"
    )
    parser.add_argument(
        "--size", type=int, default=12280, help="tokens in all (default: %(default)s)"
    )
    parser.add_argument(
        "--latin", type=float, default=0.3, help="greatest share for Latin pieces (%(default)s)"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="a vocabulary of 600 from the first lines only"
    )
    args = parser.parse_args(argv)

    def lines() -> Iterable[str]:
        for source in args.source:
            file = TextFile(source.path)
            for chunk in range(1 if args.tiny else file.chunks):
                yield from file.lines(chunk)

    vocab = build_vocab(lines(), 600 if args.tiny else args.size, args.latin)
    write_tokenizer(vocab, args.out)
    print(f"{args.out}: {len(vocab)} tokens")


if __name__ == "__main__":
    run(main)
