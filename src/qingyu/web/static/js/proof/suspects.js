// @ts-check
// A suspect as it is told: in the list, in the box that opens at its place, and what became of it.
import { button, h, iconButton, replace } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import { wordAround } from "./words.js";

const SHOWN = 5; // suggestions
const BESIDE = 8; // characters of the line shown on either side

const reason = (one) => t(`reason.${one.reason}`);
const label = (one, token) => (token === "" ? t("check.delete") : token);

function suggestions(view, one) {
  return one.candidates.slice(0, SHOWN).map((candidate) =>
    button(h("span", { class: "song" }, label(one, candidate.token)), {
      class: "btn suggestion",
      title: percent(candidate.score),
      "aria-label": t("check.put", { from: one.text, to: label(one, candidate.token) }),
      onclick: () => view.accept(one, candidate.token),
    }),
  );
}

/** An entry of the list. */
export function said(view, one) {
  const [start, end] = [one.within, one.within + one.text.length];
  const before = one.line.slice(Math.max(0, start - BESIDE), start);
  const after = one.line.slice(end, end + BESIDE);
  const find = () => view.editor.select(one.start, one.end);
  return h(
    "li",
    { class: one.sure ? "finding" : "finding faint" },
    h(
      "button",
      { type: "button", class: "finding-place song", lang: "zh-CN", onclick: find, title: t("check.find") },
      before,
      h("mark", { class: one.sure ? "typo" : "doubt" }, one.text),
      after,
    ),
    h("span", { class: "small muted" }, `${reason(one)} · ${percent(one.confidence)}`),
    h(
      "div",
      { class: "row" },
      suggestions(view, one),
      button(t("check.ignore"), {
        kind: "quiet",
        "aria-label": t("check.ignore.one", { text: one.text }),
        onclick: () => view.ignore(one),
      }),
    ),
  );
}

/** The box at a place of the text: reason, suggestions, ignore, keep. */
export class Popover {
  #view;
  #shown = null;
  node = h("div", { class: "pop", role: "dialog", hidden: true });

  constructor(view) {
    this.#view = view;
    this.node.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Opens at the suspect in which `place` of the text lies; `enter` moves the focus into it. */
  at(place, { enter = false } = {}) {
    const found = this.#view.suspects().find((one) => one.start <= place && place <= one.end);
    if (!found) return this.close();
    this.#shown = found;
    this.draw();
    if (enter) this.node.querySelector("button")?.focus();
    return undefined;
  }

  /** Goes to the next suspect after `place`, or the last before it, and round at the end. */
  next(step, place) {
    const all = this.#view.suspects();
    if (all.length === 0) return;
    const beyond = step > 0 ? all.find((one) => one.end > place) : all.findLast((one) => one.end < place);
    const one = beyond ?? all.at(step > 0 ? 0 : -1);
    this.#view.editor.select(one.start, one.end);
    this.at(one.end);
  }

  close() {
    this.#shown = null;
    this.node.hidden = true;
  }

  /** Draws it at its place; closes it where its suspect is no more. */
  draw() {
    if (this.#shown === null) return;
    const all = this.#view.suspects();
    const n = all.findIndex((one) => one.start === this.#shown.start && one.text === this.#shown.text);
    if (n < 0) {
      this.close();
      return;
    }
    if (!this.node.hidden && this.#shown.drawn) return;
    const one = all[n];
    this.#shown = { ...one, drawn: true };
    replace(this.node, this.#inside(one));
    this.node.setAttribute("aria-label", t("check.suspect", { text: one.text, reason: reason(one) }));
    this.node.hidden = false;
    this.#view.editor.paint();
    this.#place(this.#view.editor.mark(n));
  }

  #place(mark) {
    const page = this.node.parentElement.getBoundingClientRect();
    const box = mark.getBoundingClientRect();
    const room = Math.max(0, page.width - this.node.offsetWidth);
    this.node.style.setProperty("--x", `${Math.min(Math.max(0, box.left - page.left - 12), room)}px`);
    this.node.style.setProperty("--y", `${box.bottom - page.top + 6}px`);
  }

  #inside(one) {
    const view = this.#view;
    const word = h("input", {
      class: "input",
      value: wordAround(one.line, one.within, one.within + one.text.length),
      "aria-label": t("check.keep.word"),
      maxLength: 64,
    });
    const keep = (event) => {
      event.preventDefault();
      if (word.value.trim()) view.keep(word.value);
      this.close();
    };
    return [
      h(
        "div",
        { class: "row" },
        h("span", { class: "small" }, `${reason(one)} · ${percent(one.confidence)}`),
        iconButton(t("close"), "close", { class: "push", onclick: () => this.close() }),
      ),
      h(
        "div",
        { class: "row" },
        suggestions(view, one),
        button(t("check.ignore"), { kind: "quiet", onclick: () => (view.ignore(one), view.editor.focus()) }),
      ),
      h("form", { class: "row", onsubmit: keep }, word, h("button", { class: "btn" }, t("check.keep"))),
    ];
  }

  #key(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.close();
    this.#view.editor.focus();
  }
}

/** What has changed since the text was opened, line by line, old beside new. */
export function compared(changes, follows) {
  if (!follows) return h("p", { class: "muted small compared" }, t("check.compare.lines"));
  if (changes.length === 0) return h("p", { class: "muted small compared" }, t("check.compare.none"));
  const side = (points, marks, tag) => {
    const nodes = [];
    let at = 0;
    for (const [start, end] of marks) {
      nodes.push(
        points.slice(at, start).join(""),
        start < end && h(tag, null, points.slice(start, end).join("")),
      );
      at = end;
    }
    return h("p", { class: "song" }, nodes, points.slice(at).join(""));
  };
  const one = ({ line, now, changes: list }) => {
    let grown = 0;
    const put = list.map(({ start, end, text }) => {
      const from = start + grown;
      const size = [...text].length;
      grown += size - (end - start);
      return [from, from + size];
    });
    const was = list.map(({ start, end }) => [start, end]);
    return h("li", null, side([...line.text], was, "del"), side([...now], put, "ins"));
  };
  return h("ul", { class: "compared", lang: "zh-CN" }, changes.map(one));
}
