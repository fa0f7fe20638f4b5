"""Which family a checkpoint is of, from `config.json` and from what its tensors are called."""

from __future__ import annotations

from collections.abc import Collection

from qingyu.build.notes import Note
from qingyu.build.sources.config import Config

# Names under which a family is known elsewhere; all have BERT's tensors and BERT's positions.
ALIASES = {
    "structbert": "bert",  # ModelScope
    "sbert": "bert",  # ModelScope's older name of StructBERT
    "macbert": "bert",
    "roberta-wwm": "bert",
    "roberta_wwm": "bert",
    "xlm_roberta": "xlm-roberta",
    "xlmroberta": "xlm-roberta",
    "distil-bert": "distilbert",
    "mobile-bert": "mobilebert",
}
WORDS = "embeddings.word_embeddings.weight"
# What the tensors of a family with a prefix of its own begin with.
PREFIXES = {
    "bert.": "bert",
    "roberta.": "roberta",
    "electra.": "electra",
    "ernie.": "ernie",
    "albert.": "albert",
    "distilbert.": "distilbert",
    "mobilebert.": "mobilebert",
}
BERT_PARTS = (
    "embeddings.token_type_embeddings.weight",
    "encoder.layer.0.attention.self.query.weight",
)


def identified(config: Config, names: Collection[str]) -> tuple[Config, list[Note]]:
    """`config` with a `model_type` that a family goes by, and what was concluded, if anything.

    names: of the checkpoint's tensors, without wrappers
    """
    given = config.values.get("model_type")
    known = str(given).strip().lower() if given else ""
    known = ALIASES.get(known, known)
    told = _by_tensors(names) if _misnamed(known, names) or not known else known
    told = told or _by_architecture(config.architecture)
    if not told or told == given:
        return config, []
    notes = []
    if known != told or not given:
        notes.append(
            Note(
                f"config.json 的 model_type 是 {given}，按张量的名称当作 {told} 读取。",
                f"model_type in config.json is {given}; read as {told}, by the tensors' names.",
            )
        )
    return config.changed(model_type=told), notes


def _misnamed(model_type: str, names: Collection[str]) -> bool:
    """BERT's tensors under `model_type: roberta`: RoBERTa would begin its positions elsewhere."""
    return model_type == "roberta" and any(name.startswith("bert.") for name in names)


def _by_tensors(names: Collection[str]) -> str:
    for prefix, model_type in PREFIXES.items():
        if f"{prefix}{WORDS}" in names:
            return model_type
    if all(part in names for part in (WORDS, *BERT_PARTS)):
        return "bert"
    return ""


def _by_architecture(architecture: str) -> str:
    """BertForMaskedLM and BertModel are of BERT, as a class is named."""
    name = architecture.lower()
    among = sorted(PREFIXES.values(), key=len, reverse=True)
    return next((one for one in among if name.startswith(one)), "")
