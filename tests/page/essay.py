"""An essay of 2,000 characters with twenty mistakes, for the page with the real service."""

from __future__ import annotations

from pathlib import Path

EVERYDAY = Path(__file__).parents[2] / "bench" / "mistakes" / "everyday.txt"
LENGTH = 2000
# As pupils write, and what they mean.
SENTENCES = {
    "我以经把作业写完了。": "我已经把作业写完了。",
    "今天天汽真好。": "今天天气真好。",
    "我们一起去公圆玩。": "我们一起去公园玩。",
    "妈妈正再厨房里做饭。": "妈妈正在厨房里做饭。",
    "请您在说一遍。": "请您再说一遍。",
    "他的身体一直很建康。": "他的身体一直很健康。",
    "我门要认真学习。": "我们要认真学习。",
    "妹妹高兴的跳了起来。": "妹妹高兴地跳了起来。",
    "他跑的非常快。": "他跑得非常快。",
    "这件事因该告诉老师。": "这件事应该告诉老师。",
    "我非常感射您的帮助。": "我非常感谢您的帮助。",
    "老师让我们安静的看书。": "老师让我们安静地看书。",
    "他向我到歉。": "他向我道歉。",
    "我在图书馆借了一本书藉。": "我在图书馆借了一本书籍。",
    "这个问提很难回答。": "这个问题很难回答。",
    "大家都很高新。": "大家都很高兴。",
    "我的家相有一条小河。": "我的家乡有一条小河。",
    "请把门关好，不要望记。": "请把门关好，不要忘记。",
    "他每天坚持段炼身体。": "他每天坚持锻炼身体。",
    "我们要爱护环镜。": "我们要爱护环境。",
}  # fmt: skip


def essay() -> tuple[str, str]:
    """The essay as written and as meant, of as many characters: a mistake a paragraph."""
    lines = EVERYDAY.read_text("utf-8").splitlines()
    right = [line for line in lines if line.strip() and not line.startswith("# ")]
    written, meant, size = [], [], 0
    for number, line in enumerate(right):
        wrong, put = ([*list(SENTENCES.items()), ("", "")])[min(number, len(SENTENCES))]
        if size + len(wrong) + len(line) > LENGTH:
            break
        written.append(wrong + line)
        meant.append(put + line)
        size += len(wrong) + len(line) + 1
    return "\n".join(written), "\n".join(meant)
