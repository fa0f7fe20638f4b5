// @ts-check
// <qy-hits>: the rows of an index that answer a question, best first, each with the reason: the
// characters it shares with the question, and how much words and meaning add to its score.
import { h, replace } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";

const ANSWER = /^(答案|回答|答复|解答|回复|答|answers?|reply|response)$/i;
const WORD = /[a-z0-9]+|\p{Script=Han}/giu;

/** The column that most looks like an answer among names: by its name, else by the longest cells;
 * -1 where there is none. */
export function answerColumn(names, cells, question) {
  const others = names.map((_, i) => i).filter((i) => i !== question);
  const named = others.find((i) => ANSWER.test(names[i].trim()));
  if (named !== undefined) return named;
  const length = (i) => cells.reduce((sum, row) => sum + String(row[i] ?? "").length, 0);
  return others.sort((a, b) => length(b) - length(a))[0] ?? -1;
}

/** What a row answers, and its other columns as `[name, value]`. */
export function told(hit) {
  const all = Object.entries(hit.row);
  const question = all.findIndex(([, value]) => value === hit.text);
  const names = all.map(([name]) => name);
  const at = answerColumn(names, [all.map(([, value]) => value)], question);
  return {
    answer: at < 0 ? "" : String(all[at][1] ?? ""),
    others: all.filter(([, value], i) => i !== at && i !== question && String(value ?? "").trim()),
  };
}

/** `text` with what it shares with the question marked: pairs of neighbours, and whole Latin words. */
function shared(text, question) {
  const asked = question.toLowerCase();
  const units = [...text.matchAll(WORD)].map((match) => ({ at: match.index, word: match[0].toLowerCase() }));
  const nodes = [];
  let done = 0;
  const mark = (from, to) => {
    if (to <= done) return;
    const start = Math.max(from, done);
    nodes.push(text.slice(done, start), h("mark", { class: "shared" }, text.slice(start, to)));
    done = to;
  };
  units.forEach(({ at, word }, i) => {
    const next = units[i + 1];
    if (/[a-z0-9]/.test(word)) asked.match(WORD)?.includes(word) && mark(at, at + word.length);
    else if (next?.at === at + word.length && asked.includes(word + next.word))
      mark(at, next.at + next.word.length);
  });
  return [...nodes, text.slice(done)];
}

/** Below it, what was found probably means something else. */
export const SURE = 0.5;

/** How sure it is that a row means the same, from 0 to 1; its score where nobody compared them. */
export const sureness = ({ same, score }) => same ?? Math.min(1, Math.max(0, score));

const hundred = (share) => `${Math.round(share * 100)}%`;

/** How sure, and how much of the score comes of words and how much of meaning. */
function reason(hit) {
  const score = Math.max(hit.score, 1e-9);
  const words = Math.min(1, Math.max(0, hit.words / score));
  return h(
    "div",
    { class: "reason small" },
    h(
      "b",
      { class: sureness(hit) < SURE ? "num cut" : "num" },
      t("hits.sure", { sure: percent(sureness(hit)) }),
    ),
    h(
      "span",
      { class: "reason-bar", "aria-hidden": "true" },
      h("i", { class: "by-words", vars: { "--share": String(words) } }),
      h("i", { class: "by-meaning", vars: { "--share": String(1 - words) } }),
    ),
    h("span", { class: "num" }, t("hits.why", { words: hundred(words), meaning: hundred(1 - words) })),
  );
}

class Hits extends HTMLElement {
  /** @param {string} question @param {any[]} hits */
  show(question, hits) {
    const one = (hit) => {
      const { answer, others } = told(hit);
      return h(
        "li",
        { class: "hit" },
        h("p", { class: "hit-text", lang: "zh-CN" }, shared(hit.text, question)),
        answer && h("p", { class: "hit-answer", lang: "zh-CN" }, answer),
        others.length > 0 &&
          h("p", { class: "small muted" }, others.map(([name, value]) => `${name}：${value}`).join("　")),
        reason(hit),
      );
    };
    replace(this, h("ol", { class: "hits" }, hits.map(one)));
  }
}

customElements.define("qy-hits", Hits);
