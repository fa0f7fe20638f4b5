// @ts-check
// Named entities: coloured spans over the text, a legend that filters, the list as JSON.
import { h, replace } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import { copyButton } from "../parts/copy.js";
import { pieces } from "../text.js";
import { TaskView } from "./task-view.js";

const TONES = 8; // as many as views.css has
const SHORT = 14; // characters of an entity kept on one line with its label

class Entities extends TaskView {
  static id = "entities";
  static task = "token-classification";
  static defaults = { text: "王小明上周从北京大学毕业，去了深圳的华为公司工作。" };
  static examples = [
    "王小明上周从北京大学毕业，去了深圳的华为公司工作。",
    "2023年9月，第十九届亚洲运动会在杭州奥体中心开幕。",
    "鲁迅的《呐喊》由新潮社在北京出版，收录了《狂人日记》等十四篇小说。",
    "中国人民银行行长在上海会见了国际货币基金组织总裁。",
  ];

  tones = new Map();
  off = new Set();

  answer(result) {
    const found = result.entities;
    for (const { label } of found) if (!this.tones.has(label)) this.tones.set(label, this.tones.size % TONES);
    const legend = [...new Set(found.map((e) => e.label))].sort();
    const flip = (label) => {
      if (!this.off.delete(label)) this.off.add(label);
      this.answer(result);
      this.out.querySelector(`[data-label="${CSS.escape(label)}"]`)?.focus();
    };
    const kind = (label) =>
      h(
        "button",
        {
          type: "button",
          class: `kind tone-${this.tones.get(label)}`,
          "data-label": label,
          "aria-pressed": String(!this.off.has(label)),
          onclick: () => flip(label),
        },
        name(label),
        h("b", { class: "num" }, found.filter((e) => e.label === label).length),
      );
    const shown = found.filter((e) => !this.off.has(e.label)).sort((a, b) => a.start - b.start);
    const span = (text, e) =>
      h(
        "mark",
        {
          class: `span tone-${this.tones.get(e.label)}${text.length > SHORT ? "" : " short"}`,
          title: `${name(e.label)} ${percent(e.score)}`,
        },
        text,
        h("small", null, name(e.label)),
      );
    replace(
      this.out,
      found.length
        ? h("div", { class: "row", role: "group", "aria-label": t("entities.legend") }, legend.map(kind))
        : h("p", { class: "muted" }, t("entities.none")),
      h(
        "p",
        { class: "sentence spans", lang: "zh-CN" },
        pieces(result.text, apart(shown)).map(([text, e]) => (e ? span(text, e) : text)),
      ),
      found.length > 0 &&
        h(
          "table",
          { class: "table" },
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              ["text", "kind", "place", "score"].map((c) => h("th", { scope: "col" }, t(`entities.${c}`))),
            ),
          ),
          h("tbody", null, shown.map(line)),
        ),
      found.length > 0 &&
        h(
          "div",
          null,
          copyButton(() => JSON.stringify(found, null, 2), t("copy.json")),
        ),
    );
  }
}

/** Spans that do not overlap: the text can show one colour at a place. */
function apart(spans) {
  const out = [];
  for (const span of spans) if (!out.length || span.start >= out.at(-1).end) out.push(span);
  return out;
}

/** A label in words where the page knows it. */
function name(label) {
  const words = t(`entity.${label.toUpperCase()}`);
  return words.startsWith("entity.") ? label : words;
}

const line = (e) =>
  h(
    "tr",
    null,
    h("td", null, e.text),
    h("td", null, name(e.label)),
    h("td", { class: "num" }, `${e.start}–${e.end}`),
    h("td", { class: "num" }, percent(e.score)),
  );

customElements.define("view-entities", Entities);
