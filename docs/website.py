"""The manual as a web site with search, a part for each language: Chinese at the top, `en/` below.

    python docs/website.py [FOLDER]    writes it into FOLDER (site), built strictly by Zensical

The pages are those of this folder. Here a page says in its third line where its translation is,
and points to files of the repository; on the site the header has the languages, and such files
are named and not linked.
"""

from __future__ import annotations

import json
import os.path
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

DOCS = Path(__file__).parent
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
TRANSLATION = re.compile(r"^\[(?:中文|English)\]\([^)]*\)\n\n?", re.MULTILINE)

# Chapters in the order of the navigation: what they are called, and their pages.
CHAPTERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("开始", "Begin"): ("install", "page", "cli", "python", "coming-from", "quality"),
    ("任务", "Tasks"): (
        "tasks/fill-mask", "tasks/check", "tasks/score", "tasks/zero-shot",
        "tasks/text-classification", "tasks/similarity", "tasks/token-classification",
        "tasks/embeddings", "tasks/exercise", "search", "teach", "tasks/text2text",
    ),
    ("服务", "Service"): (
        "service", "http", "calling", "widget", "batch", "security", "troubleshooting",
    ),
    ("部署", "Deploying"): ("platforms", "deploy", "proxies", "scale", "gpu"),
    ("自己的模型", "Your own model"): ("phrases", "adapt", "build", "bundle-format"),
    ("内部", "Inside"): ("engine", "architecture", "performance"),
}  # fmt: skip
LANGUAGES = ("zh", "en")
ENGLISH_ONLY = ("architecture", "performance")
WORDS = {
    "zh": ("轻语手册", "在普通 CPU 上理解中文", "切换到深色", "切换到浅色"),
    "en": (
        "Qingyu manual", "Chinese language understanding on ordinary CPUs", "Dark", "Light",
    ),
}  # fmt: skip


def source(name: str, language: str) -> Path:
    """Where a page is written."""
    own = language == "zh" and name not in ENGLISH_ONLY
    return (DOCS / "zh" if own else DOCS) / f"{name}.md"


def pages() -> list[str]:
    return ["index", *(name for names in CHAPTERS.values() for name in names)]


def rewritten(name: str, language: str) -> str:
    """A page's text with its links as they are on the site of one language."""
    written = source(name, language)

    def link(found: re.Match[str]) -> str:
        label, target, anchor = found[1], found[2], found[3] or ""
        if not target or "://" in target:
            return found[0]
        path = Path(os.path.normpath(written.parent / target))
        if not path.is_relative_to(DOCS):
            return label
        place = PurePosixPath(path.relative_to(DOCS).as_posix())
        if place.parts[0] == "zh":
            place = place.relative_to("zh")
        here = PurePosixPath(name).parent
        return f"[{label}]({os.path.relpath(place, here).replace(os.sep, '/')}{anchor})"

    return LINK.sub(link, TRANSLATION.sub("", written.read_text("utf-8"), count=1))


def config(language: str) -> str:
    """Zensical's settings, in TOML, whose strings and lists JSON writes as well."""
    index = LANGUAGES.index(language)
    title, description, dark, light = WORDS[language]
    chapters = (
        f"{{ {json.dumps(heading[index], ensure_ascii=False)} = "
        f"{json.dumps([f'{name}.md' for name in names])} }}"
        for heading, names in CHAPTERS.items()
    )
    home = {"zh": "site", "en": "site/en"}
    other = "en" if language == "zh" else "zh"
    away = "en/index.html" if language == "zh" else "../index.html"
    alternates = {language: "index.html", other: away}
    listed = "\n".join(
        f'[[project.extra.alternate]]\nname = "{name}"\nlink = "{alternates[one]}"\nlang = "{one}"'
        for one, name in (("zh", "中文"), ("en", "English"))
    )
    separator = r"[\s\-_,:!=\[\]()`/，。、：；？！“”（）]+|\.(?!\d)"
    if language == "zh":  # words are not set apart: each character is one
        separator += r"|(?=[\u4e00-\u9fff])|(?<=[\u4e00-\u9fff])"
    return f"""[project]
site_name = "{title}"
site_description = "{description}"
docs_dir = "{language}"
site_dir = "{home[language]}"
use_directory_urls = false
nav = ["index.md", {", ".join(chapters)}]

[project.theme]
language = "{language}"
font = false
features = [
  "content.code.copy", "navigation.footer", "navigation.path", "navigation.top",
  "navigation.tabs", "search.highlight", "toc.follow",
]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/moon"
toggle.name = "{dark}"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/sun"
toggle.name = "{light}"

[project.plugins.search]
separator = {json.dumps(separator, ensure_ascii=False)}

[project.markdown_extensions.toc]
slugify = {{ object = "pymdownx.slugs.slugify", kwds = {{ case = "lower" }} }}
permalink = true

[project.markdown_extensions.tables]
[project.markdown_extensions.attr_list]
[project.markdown_extensions.md_in_html]
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]

{listed}
"""


def build(folder: Path) -> None:
    """Write the site into `folder`. Raises CalledProcessError where a page or a link is amiss."""
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        for language in LANGUAGES:  # Chinese first: building a site empties its folder
            for name in pages():
                page = work / language / f"{name}.md"
                page.parent.mkdir(parents=True, exist_ok=True)
                page.write_text(rewritten(name, language), "utf-8")
            shutil.copytree(DOCS / "images", work / language / "images")
            for notebook in DOCS.glob("*.ipynb"):
                shutil.copy(notebook, work / language)
            settings = work / f"{language}.toml"
            settings.write_text(config(language), "utf-8")
            command = [sys.executable, "-m", "zensical", "build", "--strict", "-f", settings.name]
            subprocess.run(command, cwd=work, check=True)
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(work / "site", folder)


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1] if len(sys.argv) > 1 else "site"))
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
