"""Every step of the recipe in miniature, on the CPU: what one writes the next one reads.

Needs PyTorch, which the project itself does without: skipped where it cannot be imported.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="the training recipe needs PyTorch, the package does not"
)

from safetensors.torch import load_file  # noqa: E402

from training import adapt, distill, evaluate, export, finetune, pretrain, vocab, words  # noqa: E402
from training.hold import Hold  # noqa: E402
from training.labelled import Examples, alike, read_sets  # noqa: E402
from training.loop import Schedule, autocast  # noqa: E402
from training.model import Config, HeadSpec, Model, Trace  # noqa: E402
from training.sources import RecipeError  # noqa: E402
from training.subjects import open_subject  # noqa: E402

FACTS = Path(__file__).parents[2] / "training" / "facts.tsv"
FILES = ["config.json", "heads.json", "model.safetensors", *export.TOKENIZER_FILES]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny matrices are slower on many threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tuned(base: Path, labelled: Path, lines: Path) -> Path:
    """The tiny model with all heads."""
    out = base.with_name("tuned")
    finetune.main(
        ["--tiny", "--from", str(base), "--labelled", str(labelled), "--out", str(out), "--steps",
         "20", "--source", str(lines)]
    )  # fmt: skip
    return out


def recipe_of(lines: Path, vocabulary: Path, part_bytes: int) -> pretrain.Recipe:
    source = pretrain.Source(str(lines), 1.0)
    return pretrain.Recipe((source,), str(vocabulary / "tokenizer.json"), part_bytes=part_bytes)


def same_weights(a: Path, b: Path) -> bool:
    first, second = export.load(a).state_dict(), export.load(b).state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_vocabulary_step(tmp_path: Path, lines: Path) -> None:
    """The first step writes the three tokenizer files that pre-training starts from."""
    vocab.main(["--tiny", "--source", str(lines), "--out", str(tmp_path / "v")])
    assert sorted(p.name for p in (tmp_path / "v").iterdir()) == FILES[3:]


def test_a_checkpoint_directory_holds_exactly_its_files(base: Path) -> None:
    """A step writes what `qingyu build` reads: FP16, transformers' names, a tied decoder."""
    from safetensors import safe_open

    assert sorted(p.name for p in base.iterdir()) == FILES
    with safe_open(base / "model.safetensors", "pt") as file:
        names = set(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {torch.float16}
        assert file.metadata() == {"format": "pt"}
    assert "bert.encoder.layer.1.attention.output.LayerNorm.weight" in names
    assert "cls.predictions.transform.dense.bias" in names
    assert "cls.predictions.decoder.weight" not in names
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForMaskedLM"]
    assert config["num_hidden_layers"] == 2


def test_transformers_reads_it_and_answers_the_same(base: Path) -> None:
    """BertForMaskedLM loads a checkpoint and gives the logits that this model gives."""
    transformers = pytest.importorskip("transformers", reason="compares with transformers")
    theirs = transformers.BertForMaskedLM.from_pretrained(base, dtype=torch.float32).eval()
    ours = export.load(base).eval()
    ids = torch.randint(5, ours.config.vocab_size, (2, 9))
    doc, zeros = torch.ones_like(ids), torch.zeros_like(ids)
    pos = torch.arange(9).expand_as(ids)
    with torch.inference_mode():
        expected = theirs(ids).logits
        assert torch.allclose(ours.mlm_logits(ours.bert(ids, doc, pos, zeros)), expected, atol=1e-5)


def test_training_teaches(base: Path, vocabulary: Path, lines: Path) -> None:
    """A trained tiny model guesses masked tokens of its text far better than an untrained one."""
    recipe = recipe_of(lines, vocabulary, 9000)
    batch = next(pretrain.MlmBatches(recipe, 8, 64, {}))
    trained = export.load(base)
    with torch.inference_mode():
        losses = [m.eval().mlm_loss(*batch).item() for m in (trained, Model(trained.config))]
    assert losses[0] < losses[1] - 1


def test_texts_of_a_row_do_not_see_each_other() -> None:
    """A text packed beside others has the hidden states it has alone."""
    torch.manual_seed(0)
    model = Model(Config(vocab_size=50).tiny()).eval()
    first, second = torch.randint(5, 50, (1, 6)), torch.randint(5, 50, (1, 4))
    ids = torch.cat([first, second, torch.zeros(1, 2, dtype=torch.int64)], 1)
    doc = torch.tensor([[1] * 6 + [2] * 4 + [0] * 2])
    pos = torch.tensor([[*range(6), *range(4), 0, 0]])
    with torch.inference_mode():
        packed = model.bert(ids, doc, pos, torch.zeros_like(ids))
        for text, place in ((first, slice(0, 6)), (second, slice(6, 10))):
            ones, zeros = torch.ones_like(text), torch.zeros_like(text)
            alone = model.bert(text, ones, torch.arange(text.shape[1])[None], zeros)
            assert torch.allclose(packed[:, place], alone, atol=1e-5)


def test_a_resumed_run_ends_where_an_unbroken_one_does(
    tmp_path: Path, lines: Path, vocabulary: Path
) -> None:
    """Stopped half-way and resumed, a run reads the same batches and ends with the same weights."""
    common = ["--tiny", "--tokenizer", str(vocabulary), "--source", str(lines), "--long", "0"]
    pretrain.main([*common, "--steps", "8", "--out", str(tmp_path / "whole")])

    # The same schedule, broken off after four steps.
    args = pretrain.options().parse_args([*common, "--steps", "8", "--out", str(tmp_path / "half")])
    pretrain.settle(args)
    args.length = 64
    model = pretrain.new_model(args)
    model.set_dropout(0.0)
    trainer = pretrain.Trainer(model, args, vocabulary)
    recipe = pretrain.text_recipe(args, vocabulary / "tokenizer.json", args.batch * args.length)
    batches = pretrain.MlmBatches(recipe, args.batch, args.length, trainer.place)
    for _ in range(4):
        with autocast(trainer.device):
            loss = model.mlm_loss(*next(batches))
        trainer.update({"mlm": loss})
    trainer.save_state()

    export.main(["--state", str(tmp_path / "half.state.pt"), "--out", str(tmp_path / "early")])
    assert not same_weights(tmp_path / "early", tmp_path / "whole")
    pretrain.main([*common, "--steps", "8", "--resume", "--out", str(tmp_path / "half")])
    assert same_weights(tmp_path / "half", tmp_path / "whole")


def test_workers_give_the_rows_that_one_process_gives(lines: Path, vocabulary: Path) -> None:
    """Two processes prepare the same batches in the same order as none."""
    recipe = recipe_of(lines, vocabulary, 9000)
    alone, shared = (pretrain.MlmBatches(recipe, 4, 64, {}, workers=n) for n in (0, 2))
    for _ in range(6):
        assert all(torch.equal(a, b) for a, b in zip(next(alone), next(shared), strict=True))


def test_a_file_too_small_for_a_batch_is_refused(
    tmp_path: Path, lines: Path, vocabulary: Path
) -> None:
    """Where a part never fills a batch the run stops with a reason instead of looping."""
    recipe = recipe_of(lines, vocabulary, 100)
    with pytest.raises(RecipeError, match="fewer than a batch"):
        next(pretrain.MlmBatches(recipe, 500, 64, {}))


def test_the_schedule_follows_the_clock() -> None:
    """By the clock or by steps, the rate warms up, peaks once and falls to nothing at the end."""
    now = [0.0]
    schedule = Schedule(10.0, None, clock=lambda: now[0])
    rates = []
    for second in range(0, 601, 6):
        now[0] = float(second)
        rates.append(schedule.rate())
    assert rates[0] < 0.05
    assert rates[-1] == 0
    assert max(rates) == pytest.approx(1.0, abs=0.02)
    assert rates.index(max(rates)) == 3
    resumed = Schedule(10.0, None, spent_s=300.0, clock=lambda: 0.0)
    assert resumed.progress() == 0.5
    with pytest.raises(RecipeError, match="how long"):
        Schedule(None, None)
    with pytest.raises(RecipeError, match="how long"):
        Schedule(1.0, 10)


def test_going_on_from_a_checkpoint(tmp_path: Path, base: Path, lines: Path) -> None:
    """--from starts with the checkpoint's weights and architecture, and a warm-up of its own."""
    out = tmp_path / "next"
    pretrain.main(["--tiny", "--from", str(base), "--out", str(out), "--steps", "2", "--lr", "1e-9",
                   "--source", str(lines)])  # fmt: skip
    a, b = export.load(base).state_dict(), export.load(out).state_dict()
    assert all(torch.allclose(a[name], b[name], atol=1e-3) for name in a)


def test_finetuning_adds_the_heads_and_learns(tuned: Path, labelled: Path) -> None:
    """All four heads are written with their labels, and answer the rows they were shown."""
    heads = json.loads((tuned / "heads.json").read_text(encoding="utf-8"))
    assert heads["ner"]["level"] == "token"
    assert heads["nli"]["labels"] == ["entailment", "neutral", "contradiction"]
    assert sorted(heads) == ["ner", "nli", "sentiment", "similar"]
    again = tuned.with_name("again")
    finetune.main(
        ["--tiny", "--from", str(tuned), "--labelled", str(labelled), "--out", str(again), "--lr",
         "5e-3", "--steps", "60", "--source", str(FACTS) + "=1,facts"]
    )  # fmt: skip
    scores = evaluate.main(["--tiny", str(again), "--labelled", str(labelled)])
    assert scores["sentiment/c"]["accuracy"] == 1.0
    assert scores["pair/b"]["accuracy"] == 1.0
    assert scores["ner/d"]["entity_f1"] == 1.0


def test_heads_are_kept_while_words_are_learnt(
    tmp_path: Path, tuned: Path, labelled: Path, lines: Path
) -> None:
    """Held to what it was, a model that has drifted comes back to its old states and answers."""
    torch.manual_seed(0)
    drifted = export.load(tuned)
    for tensor in drifted.bert.parameters():
        tensor.data += 0.02 * torch.randn_like(tensor)
    export.save(drifted, tuned, tmp_path / "drifted")
    finetune.main(
        ["--tiny", "--from", str(tmp_path / "drifted"), "--hold", str(tuned), "--labelled",
         str(labelled), "--out", str(tmp_path / "kept"), "--steps", "60", "--lr", "1e-3",
         "--dropout", "0", "--source", str(lines)]
    )  # fmt: skip
    _, tokenizer = open_subject(tuned)
    examples = next(alike(Examples(read_sets(labelled, "train"), 0).draw("nli"), 8, 0))
    padded, _ = finetune.collate(tokenizer, examples, 32, torch.device("cpu"))
    hold = Hold(export.load(tuned))
    with torch.inference_mode():
        before, after = (
            hold.loss(export.load(tmp_path / name).eval(), "nli", padded).item()
            for name in ("drifted", "kept")
        )
    assert hold.loss(export.load(tuned).eval(), "nli", padded).item() < 1e-5
    assert after < before / 2


def test_only_a_checkpoint_with_the_heads_can_be_held_to(
    tmp_path: Path, base: Path, tuned: Path, labelled: Path, lines: Path
) -> None:
    """A checkpoint without heads has nothing to keep, and the run says so before it begins."""
    with pytest.raises(RecipeError, match=r"nli.*it has none"):
        finetune.main(
            ["--tiny", "--from", str(tuned), "--hold", str(base), "--labelled", str(labelled),
             "--out", str(tmp_path / "out"), "--source", str(lines)]
        )  # fmt: skip


def test_evaluating_a_checkpoint(tmp_path: Path, tuned: Path, lines: Path, labelled: Path) -> None:
    """All measures come out, between 0 and 1, the same twice, on the screen and as JSON."""
    arguments = ["--tiny", str(tuned), "--text", str(lines), "--labelled", str(labelled)]
    scores = evaluate.main([*arguments, "--json", str(tmp_path / "scores.json")])
    assert scores == evaluate.main(arguments)
    assert scores == json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert set(scores) == {
        "masked/held-out", "masked/far", *(f"cloze/{g}" for g in evaluate.GROUPS if g != "two"),
        "nli/a", "pair/b", "sentiment/c", "ner/d", "cls/e",
    }  # fmt: skip
    assert all(0 <= v <= 1 for s in scores.values() for k, v in s.items() if k != "n")


CSV = "text,label\n" + "".join(
    f"{text}{n},{label}\n" for n in range(40) for text, label in (("很好", "褒"), ("太坏", "贬"))
)


def test_adapting_to_a_csv_keeps_the_other_heads(tmp_path: Path, tuned: Path) -> None:
    """A new head learns the user's labels; what the old heads answer hardly moves."""
    (tmp_path / "mine.csv").write_text(CSV, encoding="utf-8")
    out = tmp_path / "mine"
    score = adapt.main(
        ["--tiny", "--from", str(tuned), "--csv", str(tmp_path / "mine.csv"), "--out", str(out),
         "--steps", "60", "--lr", "5e-3"]
    )  # fmt: skip
    assert score == 1.0
    heads = json.loads((out / "heads.json").read_text(encoding="utf-8"))
    assert heads["task"] == {"labels": ["褒", "贬"], "level": "seq"}
    before, after = export.load(tuned).eval(), export.load(out).eval()
    ids = torch.randint(5, before.config.vocab_size, (8, 10))
    ones, zeros = torch.ones_like(ids), torch.zeros_like(ids)
    assert not torch.equal(before.bert.embeddings.word_embeddings.weight,
                           after.bert.embeddings.word_embeddings.weight)  # fmt: skip
    for head in ("sentiment", "nli"):
        with torch.inference_mode():
            old, new = (m.head_logits(head, ids, ones, zeros).softmax(-1) for m in (before, after))
        assert (old - new).abs().max() < 0.2


def test_adapting_to_lines(tmp_path: Path, tuned: Path, lines: Path) -> None:
    """On one's own lines alone the model goes on learning words; text and table go together too."""
    (tmp_path / "mine.csv").write_text(CSV, encoding="utf-8")
    for extra in ([], ["--csv", str(tmp_path / "mine.csv")]):
        out = tmp_path / f"out{len(extra)}"
        adapt.main(
            ["--tiny", "--from", str(tuned), "--lines", str(lines), "--out", str(out), *extra]
        )
        assert sorted(p.name for p in out.iterdir()) == FILES
        assert not same_weights(tuned, out) if not extra else "task" in export.load(out).specs
    with pytest.raises(RecipeError, match="nothing to learn"):
        adapt.main(["--tiny", "--from", str(tuned), "--out", str(tmp_path / "none")])


def test_equal_texts_are_set_aside_together() -> None:
    """About a tenth is set aside, and no text stands on both sides."""
    examples = [adapt.Example("task", f"第{i % 500}句", None, i % 2) for i in range(1000)]
    training, aside = adapt.split(examples)
    assert len(training) + len(aside) == 1000
    assert 60 < len(aside) < 140
    assert not {e.first for e in training} & {e.first for e in aside}


@pytest.mark.parametrize("way", ["tinybert", "minilm"])
@pytest.mark.parametrize("hidden", [32, 16])
def test_a_student_comes_to_answer_as_its_teacher(
    tmp_path: Path, tuned: Path, lines: Path, way: str, hidden: int
) -> None:
    """Either way, as wide as the teacher or narrower, the losses fall well below their start."""
    (tmp_path / "mine.csv").write_text(CSV, encoding="utf-8")
    common = ["--tiny", "--teacher", str(tuned), "--way", way, "--lines", str(lines), "--csv",
              str(tmp_path / "mine.csv"), "--layers", "1", "--hidden", str(hidden),
              "--relation-heads", "2"]  # fmt: skip
    first = distill.main([*common, "--out", str(tmp_path / "a"), "--steps", "1", "--lr", "0"])
    last = distill.main([*common, "--out", str(tmp_path / "b"), "--steps", "40", "--lr", "5e-3"])
    assert set(first) == {"inside", "words", "inside_texts", "nli", "ner", "sentiment", "similar"}
    assert last["inside"] < 0.9 * first["inside"]
    if (
        hidden == 16
    ):  # as wide as the teacher, it begins with the teacher's layers and so close to it
        assert last["words"] < 0.9 * first["words"]
    student = export.load(tmp_path / "b")
    assert student.config.num_hidden_layers == 1
    assert student.config.hidden_size == hidden
    assert set(student.specs) == {"nli", "ner", "sentiment", "similar"}


def test_a_wide_student_begins_with_the_teachers_layers() -> None:
    """Embeddings, heads and evenly spaced layers are copied; a narrow student begins at random."""
    teacher = Model(Config(vocab_size=50).tiny(), {"task": HeadSpec(("甲", "乙"))})
    config = dataclasses.replace(teacher.config, num_hidden_layers=1)
    student = distill.make_student(teacher, config)
    theirs, ours = teacher.state_dict(), student.state_dict()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name.replace("layer.0.", "layer.1.")]), name
    narrow = distill.make_student(teacher, dataclasses.replace(config, hidden_size=16))
    assert narrow.specs == teacher.specs
    assert narrow.bert.embeddings.word_embeddings.weight.shape == (50, 16)


def test_relations_do_not_depend_on_the_number_of_attention_heads() -> None:
    """MiniLM's relations of a state cut into 2 or 4 attention heads are the same relations."""
    states = torch.randn(2, 5, 16)
    two, four = (states.unflatten(-1, (n, -1)).transpose(1, 2) for n in (2, 4))
    assert torch.allclose(distill.relation(two, 8), distill.relation(four, 8), atol=1e-5)


def test_a_teacher_has_nothing_to_learn_from_itself() -> None:
    """Both losses are 0 for a student that is its teacher, and not for one that is not."""
    torch.manual_seed(0)
    config = Config(vocab_size=50).tiny()
    teacher, other = Model(config).eval(), Model(config).eval()
    ids = torch.randint(5, 50, (2, 7))
    doc = torch.tensor([[1, 1, 1, 2, 2, 2, 0]] * 2)
    pos = torch.tensor([[0, 1, 2, 0, 1, 2, 0]] * 2)
    traces = [Trace() for _ in range(3)]
    for model, trace in zip((teacher, teacher, other), traces, strict=True):
        model.bert(ids, doc, pos, torch.zeros_like(ids), trace)
    same = torch.nn.Identity()
    assert distill.tinybert_loss(traces[0], traces[1], doc, same).item() == 0
    assert distill.tinybert_loss(traces[0], traces[2], doc, same).item() > 0.01
    assert abs(distill.minilm_loss(traces[0], traces[1], doc, 2, 4).item()) < 1e-6
    assert distill.minilm_loss(traces[0], traces[2], doc, 2, 4).item() > 1e-5


def test_layers_of_the_teacher_are_spread() -> None:
    """Student layers imitate evenly spaced teacher layers, the last the last."""
    assert distill.spread(6, 12) == [2, 4, 6, 8, 10, 12]
    assert distill.spread(4, 12) == [3, 6, 9, 12]
    assert distill.spread(3, 3) == [1, 2, 3]


def test_a_fine_tuned_classifier_can_be_adapted_and_distilled(
    tmp_path: Path, base: Path, vocabulary: Path, lines: Path
) -> None:
    """A classifier saved by transformers, in the names of the first BERT release, is understood."""
    from safetensors.torch import save_file

    model = export.load(base)
    model.add_head("task", HeadSpec(("甲", "乙")))
    weights = {
        name.replace("heads.task.pooler", "bert.pooler.dense")
        .replace("heads.task.", "")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("cls.")
    }
    folder = tmp_path / "classifier"
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    config = model.config.written() | {"id2label": {"0": "甲", "1": "乙"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in export.TOKENIZER_FILES:
        (folder / name).write_bytes((vocabulary / name).read_bytes())

    loaded = export.load(folder)
    assert loaded.specs == {"task": HeadSpec(("甲", "乙"))}
    assert not loaded.words
    (tmp_path / "mine.csv").write_text("text\n下雨了\n天晴了\n", encoding="utf-8")
    losses = distill.main(
        ["--tiny", "--teacher", str(folder), "--out", str(tmp_path / "student"), "--layers", "1",
         "--csv", str(tmp_path / "mine.csv"), "--lines", str(lines), "--relation-heads", "2"]
    )  # fmt: skip
    assert set(losses) == {"inside", "inside_texts", "task"}
    student = export.load(tmp_path / "student")
    assert student.specs == loaded.specs
    assert not student.words
    with pytest.raises(RecipeError, match="no masked-language-model head"):
        adapt.main(
            ["--tiny", "--from", str(folder), "--lines", str(lines), "--out", str(tmp_path / "x")]
        )


def test_bad_checkpoints_say_what_is_wrong(tmp_path: Path, base: Path) -> None:
    """A folder without a model, another family, or other weights give one clear error."""
    with pytest.raises(RecipeError, match=r"config\.json is missing"):
        export.load(tmp_path)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"neither model\.safetensors"):
        export.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"num_hidden_layers": 3}), encoding="utf-8"
    )
    with pytest.raises(RecipeError, match="weights missing"):
        export.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    with pytest.raises(RecipeError, match="plain BERT only"):
        export.load(tmp_path)


def test_broken_weights_are_not_written(tmp_path: Path, base: Path) -> None:
    """A model that diverged does not replace a good checkpoint."""
    model = export.load(base)
    with torch.no_grad():
        model.cls.predictions.bias[0] = float("nan")
    out = tmp_path / "out"
    with pytest.raises(RecipeError, match="not finite"):
        export.save(model, base, out)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_becomes_a_bundle(tmp_path: Path, tuned: Path) -> None:
    """`qingyu build` reads what the recipe writes; the bundle answers as the checkpoint does."""
    pytest.importorskip("onnx", reason="building a bundle needs onnx")
    pytest.importorskip("onnxruntime", reason="a bundle needs onnxruntime")
    from qingyu.build.pipeline import Options, build

    build(tuned, tmp_path / "bundle", Options(precision="fp32", measure=False))
    texts = [item.text for item in evaluate.read_cloze() if item.group != "two"][::50]
    ours, _ = open_subject(tuned)
    built, _ = open_subject(tmp_path / "bundle")
    assert ours.fill(texts, 1) == built.fill(texts, 1)
    assert ours.classify(texts) == built.classify(texts)
    assert np.array_equal(ours.pairs("nli", texts, texts), built.pairs("nli", texts, texts))


def test_frozen_layers_stay_and_words_take_the_others(
    base: Path, lines: Path, tmp_path: Path
) -> None:
    """`--freeze 1` changes nothing below the first layer; training.words makes the rest a head of
    its own, part of the way where asked, and refuses a run whose lower layers have learnt.
    """
    ran, free = tmp_path / "ran", tmp_path / "free"
    asked = ["--tiny", "--from", str(base), "--source", str(lines), "--steps", "2", "--out"]
    pretrain.main([*asked, str(ran), "--freeze", "1"])
    pretrain.main([*asked, str(free)])
    before, after = export.load(base).state_dict(), export.load(ran).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("bert.encoder.layer.1.", "cls.")) for name in changed)

    begun = ["--from", str(base), "--branch", "1", "--out", str(tmp_path / "words")]
    for share in (1.0, 0.5):
        words.main([str(ran), *begun, "--share", str(share)])
        made = load_file(tmp_path / "words" / "heads.safetensors")
        name = "attention.output.dense.weight"
        old, new = (at[f"bert.encoder.layer.1.{name}"] for at in (before, after))
        expected = (old + share * (new - old)).half()
        assert torch.equal(made[f"heads.fill-mask.encoder.layer.0.{name}"], expected)
    entry = json.loads((tmp_path / "words" / "heads.json").read_text("utf-8"))["fill-mask"]
    assert entry == {"kind": "masked-lm", "labels": [], "branch": 1}
    with pytest.raises(RecipeError, match="--freeze 1"):
        words.main([str(free), *begun])


def test_all_layers_cannot_be_frozen(base: Path, lines: Path, tmp_path: Path) -> None:
    """A run in which no layer learns is refused before it reads anything."""
    asked = ["--tiny", "--from", str(base), "--source", str(lines), "--out", str(tmp_path / "out")]
    with pytest.raises(RecipeError, match="one layer at least"):
        pretrain.main([*asked, "--freeze", "2"])
