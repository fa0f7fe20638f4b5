// @ts-check
// What came of teaching: how many it answers rightly, between which bounds, what it mixes up, what
// else one should know; and a box to try it in.
import * as api from "../api.js";
import { field, h, replace } from "../dom.js";
import { percent } from "../format.js";
import { either, t } from "../i18n.js";
import { link } from "../router.js";
import "./bars.js";
import { trouble } from "./notice.js";

const SHOWN = 6; // pairs of labels mixed up

/** @param {any} told what POST /v1/heads answered */
export function lessonCard({ name, rows, score, bar, notes }) {
  const hundred = (share) => Math.round(share * 100);
  const mixed = ({ label, taken_for: other, rows: n }) =>
    h("li", null, t("lesson.mixed", { label, other, n }));
  return [
    h(
      "div",
      { class: "verdict" },
      h("p", { class: "figure num" }, percent(score.accuracy)),
      h(
        "p",
        { class: "muted" },
        t("lesson.right", { rows, low: hundred(score.low), high: hundred(score.high) }),
      ),
    ),
    h(
      "div",
      {
        class: "range",
        "aria-hidden": "true",
        vars: { "--low": String(score.low), "--high": String(score.high), "--share": String(score.accuracy) },
      },
      h("span"),
      h("i"),
    ),
    h("p", { class: "small muted" }, t("lesson.how")),
    score.confusions.length > 0 && [
      h("h2", { class: "minor" }, t("lesson.confusions")),
      h("ul", { class: "small bullets", lang: "zh-CN" }, score.confusions.slice(0, SHOWN).map(mixed)),
    ],
    notes.length > 0 && [
      h("h2", { class: "minor" }, t("lesson.notes")),
      h(
        "ul",
        { class: "small bullets" },
        notes.map(({ zh, en }) => h("li", null, either(zh, en))),
      ),
    ],
    bar !== null && h("p", { class: "small muted" }, t("lesson.bar", { bar: Math.floor(100 * bar) })),
    tryIt(name),
    h(
      "div",
      { class: "row" },
      h(
        "a",
        { class: "btn", href: link("files", { task: "text-classification", head: name }) },
        t("lesson.file"),
      ),
      h("a", { class: "btn", href: link("classify", { head: name }) }, t("lesson.classify")),
    ),
  ];
}

/** A text and what the head makes of it. */
function tryIt(head) {
  const box = h("input", { class: "input", lang: "zh-CN", placeholder: t("lesson.placeholder") });
  const out = h("div");
  const ask = async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return box.focus();
    try {
      const { results } = await api.ask("text-classification", { text: box.value, head });
      const bars = h("qy-bars");
      replace(out, bars);
      bars.label = t("answer");
      bars.items = results[0].labels.map((label, i) => ({ label, score: results[0].scores[i] }));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        out,
        trouble(error, () => ask(event)),
      );
    }
    return undefined;
  };
  return [
    h(
      "form",
      { class: "ask-line", onsubmit: ask },
      field(t("lesson.try", { name: head }), box),
      h("button", { class: "btn primary" }, t("lesson.run")),
    ),
    out,
  ];
}
