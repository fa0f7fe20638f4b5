"""Checkpoints as people have them: renamed, wrapped, half saved, or not checkpoints at all."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qingyu.build.pipeline import Built, Options, build
from qingyu.build.sources import safetensors
from qingyu.build.sources.label_schemes import in_scheme
from qingyu.build.sources.places import located
from qingyu.build.sources.tokenizer import read_tokenizer
from qingyu.bundle import find
from qingyu.errors import CheckpointError, ModelNotFoundError, TaskNotSupportedError
from qingyu.model import load

Copy = Callable[[str], Path]
WEIGHTS = "model.safetensors"


def built(folder: Path) -> Built:
    return build(folder, folder.with_name("out"), Options(precision="fp32", measure=False))


def configured(folder: Path, **changes: Any) -> None:
    """Change config.json; None takes a key out."""
    path = folder / "config.json"
    values = {**json.loads(path.read_text("utf-8")), **changes}
    kept = {key: value for key, value in values.items() if value is not None}
    path.write_text(json.dumps(kept), "utf-8")


def renamed(folder: Path, change: Callable[[str], str | None]) -> None:
    """Write the weights anew under other names; None leaves a tensor out."""
    path = folder / WEIGHTS
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    new = {name: info for old, info in header.items() if (name := change(old)) is not None}
    text = json.dumps(new).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def said(made: Built) -> str:
    return " ".join(note.en for note in made.notes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "structbert"}, ""),
        ({"model_type": None}, "None"),
        ({"model_type": None, "architectures": None}, "None"),
        ({"model_type": "BERT"}, ""),
        ({"model_type": "roberta"}, "roberta"),
    ],
)
def test_a_family_by_another_name(checkpoint: Copy, changes: dict[str, Any], told: str) -> None:
    """BERT's tensors are read as BERT whatever config.json calls them, and that is said."""
    folder = checkpoint("bert-masked-lm")
    plain = built(folder).manifest
    shutil.rmtree(plain.path)
    configured(folder, **changes)
    made = built(folder)
    assert made.manifest.family == "bert"
    assert made.manifest.sizes == plain.sizes
    assert told in said(made)


def test_a_family_that_is_not_known_stays_refused(checkpoint: Copy) -> None:
    """A name that nothing stands for is told with those that there are."""
    folder = checkpoint("bert-masked-lm")
    configured(folder, model_type="deberta-v2")
    with pytest.raises(CheckpointError, match="deberta-v2"):
        built(folder)


@pytest.mark.parametrize(
    "wrapper", ["module.", "model.", "_orig_mod.", "base_model.model.", "module.model."]
)
def test_wrappers_are_taken_off(checkpoint: Copy, wrapper: str) -> None:
    """What training code puts before the names changes no answer, and is said."""
    folder = checkpoint("bert-sentiment")
    plain = built(folder).manifest
    digests = {name: info.sha256 for name, info in plain.files.items()}
    shutil.rmtree(plain.path)
    renamed(folder, lambda name: wrapper + name)
    made = built(folder)
    assert {name: info.sha256 for name, info in made.manifest.files.items()} == digests
    assert wrapper in said(made)


def test_adapters_are_not_taken_for_weights(checkpoint: Copy) -> None:
    """LoRA that was never merged would be left out in silence: it is refused."""
    folder = checkpoint("bert-sentiment")
    renamed(folder, lambda name: name.replace("query.weight", "query.lora_A.default.weight"))
    with pytest.raises(CheckpointError, match="merge_and_unload"):
        built(folder)


def test_a_crf_is_a_tagger(checkpoint: Copy) -> None:
    """BertCrfForNer labels tokens; that its CRF is left out is said."""
    folder = checkpoint("bert-ner")
    configured(folder, architectures=["BertCrfForNer"])
    renamed(folder, lambda name: "crf.transitions" if name.startswith("cls.") else name)
    made = built(folder)
    assert made.manifest.heads["tags"].kind == "token-classification"


@pytest.mark.parametrize(
    ("name", "changes", "left_out", "told"),
    [
        ("bert-sentiment", {}, "classifier.", "no classifier"),
        ("bert-sentiment", {}, "bert.pooler.", "pooler"),
        ("bert-ner", {}, "classifier.", "no classifier.weight"),
        (
            "bert-sentiment",
            {"architectures": ["BertForQuestionAnswering"]},
            "classifier.",
            "question",
        ),
    ],
)
def test_a_head_that_is_not_there(
    checkpoint: Copy, name: str, changes: dict[str, Any], left_out: str, told: str
) -> None:
    """A head that is promised and missing, or not served, is an error and no silent encoder."""
    folder = checkpoint(name)
    configured(folder, **changes)
    renamed(folder, lambda tensor: None if tensor.startswith(left_out) else tensor)
    with pytest.raises(CheckpointError) as caught:
        built(folder)
    assert told in caught.value.en


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>login</body></html>", "web page"),
        (b"", "empty"),
    ],
)
@pytest.mark.parametrize("file", [WEIGHTS, "config.json", "vocab.txt", "tokenizer.json"])
def test_files_that_stand_in(checkpoint: Copy, content: bytes, told: str, file: str) -> None:
    """A pointer, a web page and an empty file are called what they are."""
    folder = checkpoint("bert-masked-lm")
    if file == "vocab.txt":
        (folder / "tokenizer.json").unlink()
    (folder / file).write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        built(folder)
    assert told in caught.value.en


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tf_model.h5", "transformers"),
        ("flax_model.msgpack", "transformers"),
        ("best_model.bin", "qingyu build"),
        ("model.fp16.safetensors", "qingyu build"),
        ("training_args.bin", "no weight file"),
    ],
)
def test_weights_by_another_name(checkpoint: Copy, name: str, told: str) -> None:
    """What is there instead of the weights is named, with what to do."""
    folder = checkpoint("bert-masked-lm")
    (folder / WEIGHTS).rename(folder / name)
    with pytest.raises(CheckpointError) as caught:
        built(folder)
    assert told in caught.value.en
    assert name in caught.value.en or told == "no weight file"


def test_a_named_file_is_read(checkpoint: Copy) -> None:
    """What the error advises works."""
    folder = checkpoint("bert-masked-lm")
    (folder / WEIGHTS).rename(folder / "model.fp16.safetensors")
    out = folder.with_name("out")
    build(folder / "model.fp16.safetensors", out, Options(precision="fp32", measure=False))
    assert "fill-mask" in find(out).joinpath("manifest.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        ("O B-PER I-PER", "O B-PER I-PER"),
        ("O B_PER I_PER", "O B-PER I-PER"),
        ("O PER-B PER-I", "O B-PER I-PER"),
        ("o b-per i-per", "O B-per I-per"),
        ("O B-PER M-PER E-PER W-PER", "O B-PER M-PER E-PER S-PER"),
        ("[PAD] X O B-LOC I-LOC [CLS] [SEP]", "O O O B-LOC I-LOC O O"),
        ("<START> <STOP> O B-LOC I-LOC", "O O O B-LOC I-LOC"),
        ("B M E S", "B-WORD M-WORD E-WORD S-WORD"),
        ("B I", "B-WORD I-WORD"),
        ("O B-LOC I-LOC B-S I-S", "O B-LOC I-LOC B-S I-S"),
        ("O U-A B-A I-A L-A", "O U-A B-A I-A L-A"),
        ("negative positive", None),
        ("M F", None),
        ("S_1 S_2", None),
        ("A B C", None),
        ("LABEL_0 LABEL_1", None),
        ("e-mail s-bahn", None),
    ],
)
def test_label_schemes(labels: str, read: str | None) -> None:
    """Labels are brought to one form by the whole set, or left as they are."""
    found = in_scheme(labels.split())
    assert found == (None if read is None else tuple(read.split()))


def test_tags_are_served_in_one_form(checkpoint: Copy) -> None:
    """A bundle of B_PER labels tells PER."""
    folder = checkpoint("bert-ner")
    labels = json.loads((folder / "config.json").read_text("utf-8"))["id2label"]
    under = {key: label.replace("-", "_") for key, label in labels.items()}
    configured(folder, id2label=under, label2id=None)
    made = built(folder)
    assert made.manifest.heads["tags"].labels == tuple(labels.values())
    assert "B_" in said(made)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("label_mapping.json", {"蕴含": 0, "中立": 1, "矛盾": 2}),
        ("configuration.json", {"preprocessor": {"label2id": {"蕴含": 0, "中立": 1, "矛盾": 2}}}),
        ("configuration.json", {"model": {"id2label": {"0": "蕴含", "1": "中立", "2": "矛盾"}}}),
    ],
)
def test_labels_where_modelscope_keeps_them(
    checkpoint: Copy, file: str, content: dict[str, Any]
) -> None:
    """Labels beside config.json are taken where it has none, and that is said."""
    folder = checkpoint("bert-nli")
    configured(folder, model_type="structbert", id2label=None, label2id=None)
    (folder / file).write_text(json.dumps(content), "utf-8")
    made = built(folder)
    assert made.manifest.heads["classification"].labels == ("蕴含", "中立", "矛盾")
    assert file in said(made)


def test_zero_shot_models_of_modelscope_without_labels(checkpoint: Copy) -> None:
    """Their order is the one that ModelScope's own pipeline takes for granted."""
    folder = checkpoint("bert-nli")
    configured(folder, id2label=None, label2id=None)
    task = {"task": "zero-shot-classification"}
    (folder / "configuration.json").write_text(json.dumps(task), "utf-8")
    labels = built(folder).manifest.heads["classification"].labels
    assert labels == ("entailment", "neutral", "contradiction")


def test_added_tokens_beside_an_older_form(checkpoint: Copy) -> None:
    """`[NEW]` in place of `[unused1]` is one token, and added ones have the ids that are given:
    3 2 2 1 323 263 240 4 is what transformers 4 and 5 answer."""
    folder = checkpoint("bert-masked-lm")
    (folder / "tokenizer.json").unlink()
    lines = (folder / "vocab.txt").read_text("utf-8").splitlines()
    lines[1] = "[NEW]"
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", "utf-8")
    roles = {"additional_special_tokens": ["[NEW]", "[人名]"]}
    (folder / "special_tokens_map.json").write_text(json.dumps(roles), "utf-8")
    (folder / "added_tokens.json").write_text(json.dumps({"[人名]": len(lines)}), "utf-8")
    tokenizer = read_tokenizer(folder)
    assert tokenizer.encode("客户[NEW]说很好").ids == [3, 2, 2, 1, 323, 263, 240, 4]
    assert tokenizer.encode("[人名]说").ids == [3, len(lines), 323, 4]


def test_added_tokens_of_another_vocabulary(checkpoint: Copy) -> None:
    """An id that a token cannot have is an error: all others would be shifted."""
    folder = checkpoint("bert-masked-lm")
    (folder / "tokenizer.json").unlink()
    (folder / "added_tokens.json").write_text(json.dumps({"[人名]": 9999}), "utf-8")
    with pytest.raises(CheckpointError, match="9999"):
        read_tokenizer(folder)


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("bert-base-chinese", "hf:google-bert/bert-base-chinese"),
        ("hfl/chinese-macbert-base", "hf:hfl/chinese-macbert-base"),
        ("https://huggingface.co/hfl/rbt3/tree/main", "hf:hfl/rbt3"),
        ("https://www.modelscope.cn/models/iic/nlp_x", "modelscope:iic/nlp_x"),
        ("https://example.com/model.zip", "Download it"),
        ("./nowhere/at/all", "no folder or file"),
    ],
)
def test_what_people_write_for_a_source(source: str, meant: str) -> None:
    """A name without its hub, an address and a typing error each get what to write instead."""
    with pytest.raises(CheckpointError) as caught:
        located(source)
    assert meant in caught.value.en


def test_a_checkpoint_is_not_yet_a_bundle(checkpoint: Copy) -> None:
    """Asked for as a model, an unbuilt checkpoint is told from a name that is wrong."""
    with pytest.raises(ModelNotFoundError, match="qingyu build"):
        find(checkpoint("bert-masked-lm"))


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_rows_without_a_word_are_no_candidates(checkpoint: Copy, precision: str) -> None:
    """A table padded beyond the vocabulary never offers "" for a blank."""
    folder = checkpoint("bert-masked-lm")
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    words = tokenizer["model"]["vocab"]
    last = [word for word, number in words.items() if number >= len(words) - 40]
    tokenizer["model"]["vocab"] = {w: n for w, n in words.items() if w not in last}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    options = Options(precision=precision, measure=False, min_agreement=0)
    with load(build(folder, folder.with_name("out"), options).path) as model:
        [mask] = model.fill_mask("天气真[MASK]啊", top_k=100).masks
        assert all(candidate.token for candidate in mask.candidates)
        assert sum(candidate.score for candidate in mask.candidates) <= 1.0001


@pytest.mark.parametrize("name", ["gelu_python", "gelu_fast"])
def test_activations_by_another_name(checkpoint: Copy, name: str) -> None:
    """What older versions called GELU is GELU."""
    folder = checkpoint("bert-masked-lm")
    configured(folder, hidden_act=name)
    assert built(folder).manifest.family == "bert"


def test_labels_are_named_when_it_is_built(checkpoint: Copy, tmp_path: Path) -> None:
    """A model for inference that numbers its labels is told from one without that head, and its
    labels can be named."""
    folder = checkpoint("bert-nli")
    configured(folder, id2label={str(i): f"LABEL_{i}" for i in range(3)}, label2id=None)
    with pytest.raises(TaskNotSupportedError, match="--labels"):
        load(built(folder).path).zero_shot("今天很好", ["天气", "体育"])
    named = Options(precision="fp32", measure=False, labels=("蕴含", "中立", "矛盾"))
    model = load(build(folder, tmp_path / "named", named).path)
    assert len(model.zero_shot("今天很好", ["天气", "体育"]).labels) == 2
    for wrong in (("a", "a", "b"), ("a", " ", "b")):
        with pytest.raises(CheckpointError, match="differ"):
            build(folder, tmp_path / "twice", Options(labels=wrong))


def test_header_names_are_read(checkpoint: Copy) -> None:
    """The helper above writes files that hold what it says."""
    folder = checkpoint("bert-masked-lm")
    renamed(folder, lambda name: f"x.{name}")
    assert all(name.startswith("x.") for name in safetensors.read_file(folder / WEIGHTS))
