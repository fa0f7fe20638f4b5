"""What `qingyu` alone says: what one can do first."""

from __future__ import annotations

# Each works at once, on the model in the package; the last goes on until Ctrl-C.
FIRST = (
    ('qingyu fill "今天天气真[MASK]啊，适合出去玩。"', "填空", "fill a blank"),
    ('qingyu check "今天天汽真好，适合出去玩。"', "改错别字", "correct a text"),
    ("qingyu serve --open", "在浏览器里用", "all of it in the browser"),
)


def start() -> str:
    """Three commands to begin with, and where the others are; both languages."""
    lines = ["轻语：在普通 CPU 上理解中文 / Chinese language understanding on ordinary CPUs", ""]
    lines.append("现在就能试 / To begin with:")
    for command, zh, en in FIRST:
        lines += ["", f"  {zh} / {en}", f"    {command}"]
    lines += [
        "",
        "全部命令 / all commands           qingyu --help",
        "这台机器如何 / this machine       qingyu doctor",
        "Tab 补全 / completion by Tab      qingyu --install-completion",
    ]
    return "\n".join(lines)
