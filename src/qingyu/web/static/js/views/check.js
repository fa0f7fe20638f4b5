// @ts-check
// Proofreading as in an editor: what looks wrong is underlined where it stands, with the reason and
// what could have been meant; one accepts, ignores, or keeps a word for good.
import * as api from "../api.js";
import { button, h, replace, segmented, toggle } from "../dom.js";
import { FileError } from "../files/decode.js";
import { t } from "../i18n.js";
import "../parts/chips.js";
import "../parts/drop.js";
import "../parts/editor.js";
import { hint, trouble } from "../parts/notice.js";
import { usedLists } from "../parts/word-lists.js";
import * as documents from "../proof/documents.js";
import { LONGEST, lines, Reading } from "../proof/reading.js";
import { compared, Popover, said } from "../proof/suspects.js";
import { keepWords, keptWords } from "../proof/words.js";
import { watch } from "../store.js";

const PAUSE = 450; // ms after the last key before reading
const BARS = [0.8, 0.5, 0.2]; // confidence from which a suspect is accepted with the others
const LISTED = 40; // suspects listed at first
const EXAMPLE =
  "今天天汽真好，我们一起去公圆玩吧。\n妈妈正再厨房里做饭，她做得菜非常好吃。\n我己经写完作业了，因该可以去看电影。";

// What stands there while other views are open.
const kept = { text: EXAMPLE, origin: documents.plain(EXAMPLE), bar: 0.5, punctuation: false };

class Check extends HTMLElement {
  #reading = new Reading({ onchange: () => this.#draw(), ontrouble: (error) => this.#broken(error) });
  #ignored = new Set();
  #timer = 0;
  #unwatch = null;
  #error = null;
  #putting = false;
  #frame = 0;
  #listed = LISTED;
  #list = h("div", { class: "stack" });
  #status = h("p", { class: "status num", role: "status" });
  #progress = h("progress", { class: "progress", max: 1, value: 0 });
  #notice = h("div", { class: "stack" });
  #compared = h("div", { class: "stack" });
  #popover = new Popover(this);

  restore({ text }) {
    if (text === undefined) return;
    Object.assign(kept, { text, origin: documents.plain(text) });
    if (this.isConnected) this.connectedCallback();
  }

  connectedCallback() {
    this.editor = h("qy-editor", { class: "proof", onedit: () => this.#edited() });
    Object.assign(this.editor, {
      marks: () =>
        this.suspects().map(({ start, end, sure }) => ({ start, end, kind: sure ? "typo" : "doubt" })),
      label: t("check.label"),
      placeholder: t("check.placeholder"),
      value: kept.text,
    });
    this.editor.addEventListener("click", () => this.#popover.at(this.editor.caret));
    this.editor.addEventListener("keydown", (event) => this.#key(event));
    const drop = h("qy-drop", { class: "slim", onfile: (e) => this.#open(e.detail) });
    Object.assign(drop, { kinds: documents.KINDS, words: "check.drop", note: "check.kinds" });
    this.undo = button(t("undo"), { icon: "undo", kind: "quiet", onclick: () => this.#undo() });
    const word = t("check.download", { format: "Word" });
    const text = t("check.download", { format: "TXT" });
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("check.title")), h("p", null, t("check.about"))),
      ),
      h(
        "div",
        { class: "panes" },
        h(
          "section",
          { class: "card ask", "aria-label": t("input") },
          drop,
          h(
            "div",
            { class: "sheet" },
            h("div", { class: "proof-page" }, this.editor, this.#popover.node),
            h(
              "div",
              { class: "row sheet-foot" },
              this.undo,
              button(t("clear"), { kind: "quiet", onclick: () => this.#start(documents.plain("")) }),
              h("span", { class: "push" }),
              button(text, { icon: "down", onclick: () => this.#saveText() }),
              button(word, { icon: "down", onclick: () => this.#saveWord() }),
            ),
          ),
          this.#notice,
          this.#fields(),
        ),
        h(
          "section",
          { class: "card answer", "aria-label": t("check.found") },
          this.#progress,
          this.#status,
          this.#list,
          h(
            "details",
            { class: "fold", ontoggle: (e) => e.currentTarget.open && this.#compare() },
            h("summary", null, t("check.compare")),
            this.#compared,
          ),
        ),
      ),
    );
    this.#unwatch ??= watch((name, up) => name === "connected" && up && this.#error && this.#read());
    this.#read();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#reading.stop();
    this.#unwatch?.();
    this.#unwatch = null;
  }

  #fields() {
    const words = h("qy-chips", { onchange: (e) => (keepWords(e.detail), this.#read()) });
    Object.assign(words, { label: t("check.words"), placeholder: t("check.words.add"), value: keptWords() });
    this.words = words;
    const lists = h("qy-word-lists", { onuse: () => this.#read() });
    Object.assign(lists, { words: keptWords });
    const punctuation = (on) => {
      kept.punctuation = on;
      this.#read();
    };
    return [
      toggle(t("check.punctuation"), kept.punctuation, punctuation),
      h(
        "details",
        { class: "fold", open: keptWords().length + usedLists().length > 0 },
        h("summary", null, t("check.words")),
        h("div", { class: "field" }, words, h("small", null, t("check.words.note"))),
        lists,
      ),
    ];
  }

  /** All that is suspected, in order, with places in the whole text, less what was ignored. */
  suspects() {
    if (this.editor === undefined) return [];
    return lines(kept.text).flatMap((line) =>
      (this.#reading.of(line.text)?.suspects ?? [])
        .filter((one) => !this.#ignored.has(around(line.text, one)))
        .map((one) => ({
          ...one,
          line: line.text,
          within: one.start,
          start: line.start + one.start,
          end: line.start + one.end,
          sure: one.confidence >= kept.bar,
        })),
    );
  }

  /** Puts `word` in place of a suspect; what else is suspected in its line stays. */
  accept(one, word) {
    const { start, end, line, within } = one;
    const stretch = within + (end - start);
    const changed = line.slice(0, within) + word + line.slice(stretch);
    this.#reading.carry(line, changed, within, stretch, word);
    this.#put(kept.text.slice(0, start) + word + kept.text.slice(end));
  }

  ignore(one) {
    this.#ignored.add(around(one.line, { ...one, start: one.within, end: one.within + one.text.length }));
    this.#draw();
  }

  /** Never suspects a word again, in this browser. */
  keep(word) {
    keepWords([...keptWords(), word]);
    this.words.value = keptWords();
    this.#read();
  }

  /** Accepts the first suggestion of all that are sure enough, as one step. */
  #acceptAll() {
    let text = kept.text;
    for (const one of this.suspects()
      .filter((it) => it.sure && it.candidates.length)
      .reverse())
      text = text.slice(0, one.start) + one.candidates[0].token + text.slice(one.end);
    this.#put(text);
  }

  #put(text) {
    this.#putting = true;
    this.editor.put(text);
    this.editor.focus();
  }

  #undo() {
    this.#putting = true;
    this.editor.undo();
  }

  #edited() {
    const [before, text] = [kept.text, this.editor.value];
    const own = kept.origin.name === "" && !this.#putting;
    if (own) kept.origin = documents.written(kept.origin, before, text);
    this.#putting = false;
    kept.text = text;
    this.#popover.close();
    this.#draw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(), PAUSE);
  }

  #read() {
    clearTimeout(this.#timer);
    this.#error = null;
    const all = kept.text.slice(0, LONGEST).split("\n");
    if (kept.text.length > LONGEST) all.pop(); // it may be cut
    const fenced = kept.origin.fenced ? documents.code(all) : [];
    const options = { keep: keptWords(), check_punctuation: kept.punctuation };
    if (usedLists().length > 0) Object.assign(options, { keep_lists: usedLists() });
    this.#reading.read(
      all.filter((_, i) => !fenced[i]),
      options,
    );
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.altKey && step) {
      event.preventDefault();
      this.#popover.next(step, this.editor.caret);
    } else if (event.altKey && event.key === "Enter") {
      event.preventDefault();
      this.#popover.at(this.editor.caret, { enter: true });
    } else if (event.key === "Escape") {
      this.#popover.close();
    }
  }

  async #open(file) {
    try {
      this.#start(await documents.open(file));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const { name, values } = error.text;
      replace(this.#notice, hint(t(name, values)));
    }
  }

  #start(origin) {
    kept.origin = origin;
    this.#listed = LISTED;
    this.#ignored.clear();
    this.#put(origin.text);
    replace(this.#notice);
    this.#read();
  }

  #saveText() {
    documents.save(new Blob([kept.text], { type: "text/plain" }), `${this.#name}.txt`);
  }

  async #saveWord() {
    try {
      documents.save(await documents.asWord(kept.origin, kept.text), `${this.#name}.docx`);
      const lost = kept.origin.bytes && !documents.follows(kept.origin, kept.text);
      replace(this.#notice, lost && hint(t("check.lost")));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        this.#notice,
        trouble(error, () => this.#saveWord()),
      );
    }
  }

  get #name() {
    return kept.origin.name || t("check.file");
  }

  #broken(error) {
    this.#error = error;
    if (error.retryAfter !== null) this.#timer = setTimeout(() => this.#read(), error.retryAfter * 1000);
  }

  /** Shows what is known now, once a frame however many lines have been read meanwhile. */
  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.isConnected) this.#show();
    });
  }

  #show() {
    this.editor.paint();
    this.undo.hidden = !this.editor.canUndo;
    this.#popover.draw();
    const found = this.suspects();
    const { left, total, busy } = this.#reading;
    if (busy) this.setAttribute("aria-busy", "true");
    else this.removeAttribute("aria-busy");
    this.#progress.hidden = !busy;
    this.#progress.value = total ? (total - left) / total : 0;
    this.#progress.setAttribute("aria-label", t("check.reading", { done: total - left, total }));
    const sure = found.filter((one) => one.sure);
    const state = busy ? t("check.reading", { done: total - left, total }) : t("check.read", { total });
    const number = t("check.number", { sure: sure.length, rest: found.length - sure.length });
    replace(this.#status, kept.text.trim() && !this.#error ? `${state} · ${number}` : "");
    replace(this.#list, this.#answer(found, sure, busy));
    if (this.querySelector(".fold[open] .compared")) this.#compare();
  }

  #answer(found, sure, busy) {
    if (this.#error) return trouble(this.#error, () => this.#read());
    if (!kept.text.trim()) return hint(t("check.idle"));
    const answers = lines(kept.text).map((line) => this.#reading.of(line.text));
    const refused = answers.find((one) => one?.trouble)?.trouble;
    const name = t("check.bar");
    const bars = BARS.map((bar) => [bar, t("check.from", { bar: `${bar * 100}%` })]);
    const setBar = (bar) => {
      kept.bar = bar;
      this.#draw();
    };
    return [
      kept.text.length > LONGEST && hint(t("check.long", { n: LONGEST })),
      refused && hint(t("check.refused")),
      answers.some((one) => one?.script === "traditional") && hint(t("check.traditional")),
      found.length > 0 &&
        h(
          "div",
          { class: "row" },
          h("span", { class: "legend" }, name),
          segmented(name, bars, kept.bar, setBar),
          button(t("check.all", { n: sure.length }), {
            kind: "primary push",
            disabled: sure.length === 0,
            onclick: () => this.#acceptAll(),
          }),
        ),
      found.length > 0
        ? h(
            "ul",
            { class: "found" },
            found.slice(0, this.#listed).map((one) => said(this, one)),
          )
        : !busy && h("p", { class: "clean" }, t("check.clean")),
      found.length > this.#listed &&
        button(t("check.more", { n: found.length - this.#listed }), {
          kind: "quiet",
          onclick: () => {
            this.#listed = found.length;
            this.#draw();
          },
        }),
    ];
  }

  #compare() {
    const follows = documents.follows(kept.origin, kept.text);
    replace(this.#compared, compared(documents.changed(kept.origin, kept.text), follows));
  }
}

/** A suspect by what it is and what stands beside it: what was ignored stays so in a line that has
 * changed elsewhere. */
const around = (line, { start, end }) =>
  [line.slice(Math.max(0, start - 2), start), line.slice(start, end), line.slice(end, end + 2)].join("|");

customElements.define("view-check", Check);
