"""What people try first is answered rightly, and so is all that the manual and the page show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import qingyu
from qingyu.model import Model
from qingyu.phrases.build import build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import write

ROOT = Path(__file__).parents[1]
SHOWN = (
    *ROOT.glob("README*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "src/qingyu/web/static/js/views").glob("*.js"),
    *(ROOT / "src/qingyu/cli").glob("*.py"),
)
CHINESE = r"[\u4e00-\u9fff，。、！？；：“”]"
EXAMPLE = re.compile(rf"(?:{CHINESE}|\[MASK\])*\[MASK\](?:{CHINESE}|\[MASK\])*")

# A text, and for each mask what may come first; a space stands between masks.
TRIED_FIRST = {
    "床前明月光，疑是地[MASK]霜": "上",
    "床前明月光，疑是地[MASK]霜。": "上",
    "他做事总是半[MASK]而废。": "途",
    "半[MASK]而废": "途",
    "画龙点[MASK]": "睛",
    "画蛇添[MASK]": "足",
    "太阳从东[MASK]升起": "边方",
    "太阳从东[MASK]升起。": "边方",
    "今天天气真[MASK]啊，适合出去玩": "好",
    "春眠不觉[MASK]": "晓",
    "守株待[MASK]": "兔",
}
EXAMPLES = {
    "今天天气真[MASK]啊，适合出去玩。": "好",
    "北京是中国的首[MASK]。": "都",
    "这家餐厅的菜很好[MASK]。": "吃",
    "今天天气真[MASK]啊。": "好",
    "北京是[MASK]国的首[MASK]。": "中 都",
    "他把钥匙[MASK]在家里了，只好等妻子回来。": "放丢忘锁落留",
    "床前明月[MASK]，疑是地上霜。": "光",
    "她[MASK]天早上七点起床，走[MASK]去学校。": "每今昨 路着",
}
TOGETHER = {
    "[MASK][MASK]大学位于北京。": "北京",
    "画蛇[MASK][MASK]": "添足",
    "画龙[MASK][MASK]": "点睛",
    "破釜[MASK][MASK]": "沉舟",
    "他说得[MASK][MASK]是道，大家都信了。": "头头",
}
ELSEWHERE = {
    "[MASK][MASK]大学位于北京。",  # both together
    "我在[MASK]上大学。",  # with words to choose from
    "真是个[MASK][MASK][MASK][MASK]的办法。",  # with a lexicon
    "请重启灵犀云[MASK]后再试。",  # with a memory of one's own, below
    "灵犀云[MASK]启动后",
}


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with qingyu.load() as loaded:
        yield loaded


def first_words(model: Model, text: str) -> list[str]:
    """The likeliest word at each mask."""
    masks = model.fill_mask(text, top_k=1).masks
    return [mask.candidates[0].token for mask in masks]


@pytest.mark.parametrize("text", [*TRIED_FIRST, *EXAMPLES])
def test_the_right_word_comes_first(model: Model, text: str) -> None:
    """Each mask by itself."""
    wanted = (TRIED_FIRST | EXAMPLES)[text].split()
    found = first_words(model, text)
    assert all(word in words for word, words in zip(found, wanted, strict=True)), found


@pytest.mark.parametrize("text", TOGETHER)
def test_masks_filled_together_are_a_word(model: Model, text: str) -> None:
    """The likeliest filling of all masks is a name, or half an idiom."""
    (best,) = model.fill_mask(text, alternatives=1).alternatives
    assert "".join(best.tokens) == TOGETHER[text]


def test_no_example_goes_untested() -> None:
    """Whoever shows a new one says here what comes first."""
    found = {
        example
        for path in SHOWN
        for example in EXAMPLE.findall(path.read_text("utf-8"))
        if len(re.findall(r"[\u4e00-\u9fff]", example)) > 1
    }
    assert found == set(EXAMPLES) | ELSEWHERE


def test_the_manuals_own_memory_answers(model: Model, tmp_path: Path) -> None:
    """The examples of the page about memories, with the text that it counts."""
    with Spool(model.tokenizer) as spool:
        spool.add(["灵犀云枢启动后指示灯变绿。"])
        spool.add(["灵犀云枢", "青萝键盘"], phrases=True)
        write(tmp_path / "mine.phrases", build(spool), model.tokenizer)
    taught = model.with_phrases(tmp_path / "mine.phrases")
    for text in ("请重启灵犀云[MASK]后再试。", "灵犀云[MASK]启动后"):
        (best,) = taught.fill_mask(text, top_k=1).masks[0].candidates
        assert best.token == "枢"
        assert best.remembered
