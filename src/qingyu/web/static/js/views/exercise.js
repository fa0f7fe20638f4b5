// @ts-check
// Exercises for a class: blanks in a text, choices, a key; to print, as a Word document, or to copy
// as Markdown.
import * as api from "../api.js";
import { button, field, h, replace, select, toggle } from "../dom.js";
import { t } from "../i18n.js";
import { copyButton } from "../parts/copy.js";
import { hint, trouble } from "../parts/notice.js";
import { save } from "../proof/documents.js";
import { TaskView } from "./task-view.js";

const KINDS = ["idioms", "measures", "conjunctions", "characters"];
const LEVELS = ["any", "easy", "medium", "hard"];
const LETTERS = "ABCDEF";

class Exercise extends TaskView {
  static id = "exercise";
  static task = "exercise";
  static live = false; // a text takes seconds
  static defaults = {
    text: "家门口有一棵大树。他骑着一匹马。",
    kinds: KINDS.slice(0, 3),
    words: "",
    difficulty: "any",
    choices: "4",
    key: true,
  };
  static examples = [
    { text: "家门口有一棵大树。他骑着一匹马。" },
    { text: "亡羊补牢\n画龙点睛\n举头望明月，低头思故乡。", kinds: ["characters"] },
  ];

  #last = null;
  #said = h("div");

  fields() {
    const { kinds, difficulty, choices, words } = this.state;
    const own = h("input", { class: "input", value: words, oninput: () => this.set({ words: own.value }) });
    const flip = (kind, on) =>
      this.set({ kinds: KINDS.filter((one) => (one === kind ? on : this.state.kinds.includes(one))) });
    return [
      h(
        "div",
        { class: "row", role: "group", "aria-label": t("exercise.kinds") },
        KINDS.map((kind) => toggle(t(`exercise.${kind}`), kinds.includes(kind), (on) => flip(kind, on))),
      ),
      field(t("exercise.words"), own, t("exercise.words.note")),
      field(
        t("exercise.difficulty"),
        select(
          LEVELS.map((one) => [one, t(`exercise.${one}`)]),
          difficulty,
          (v) => this.set({ difficulty: v }),
        ),
      ),
      field(
        t("exercise.choices"),
        select(
          ["1", "2", "3", "4", "5", "6"].map((n) => [n, n === "1" ? t("exercise.none") : n]),
          choices,
          (v) => this.set({ choices: v }),
        ),
      ),
    ];
  }

  body() {
    const { text, kinds, words, difficulty, choices } = this.state;
    const own = words.split(/[\s,，、;；]+/).filter(Boolean);
    if (!text.trim() || kinds.length + own.length === 0) return null;
    return { text, kinds, difficulty, choices: Number(choices), ...(own.length && { words: own }) };
  }

  answer(result, _all, body) {
    this.#last = result;
    if (result.items.length === 0) return replace(this.out, hint(t("exercise.nothing")));
    const key = h(
      "section",
      { class: "key", hidden: !this.state.key },
      this.#list(t("exercise.key"), this.#key()),
    );
    const show = (on) => {
      this.state.key = on;
      key.hidden = !on;
    };
    return replace(
      this.out,
      h(
        "div",
        { class: "sheet-print stack", lang: "zh-CN" },
        h("p", { class: "sentence" }, result.blanked),
        result.items[0].choices.length > 0 && this.#list(t("exercise.offered"), this.#offered()),
        key,
      ),
      h(
        "div",
        { class: "row" },
        toggle(t("exercise.show"), this.state.key, show),
        button(t("exercise.print"), { onclick: () => print() }),
        button(t("exercise.word"), { icon: "down", onclick: () => this.#word(body) }),
        copyButton(() => this.#markdown()),
      ),
      this.#said,
    );
  }

  /** The same exercise as a Word document, which the service writes. */
  async #word(body) {
    replace(this.#said);
    try {
      const answer = await api.request("v1/exercise/document", { method: "POST", body });
      save(await answer.blob(), `${t("exercise.title")}.docx`);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        this.#said,
        trouble(error, () => this.#word(body)),
      );
    }
  }

  #offered() {
    return this.#last.items.map((one) => one.choices.map((word, i) => `${LETTERS[i]}. ${word}`).join("　"));
  }

  #key() {
    const letter = (one) => (one.choices.length ? `${LETTERS[one.choices.indexOf(one.answer)]} ` : "");
    return this.#last.items.map((one) => `${letter(one)}${one.answer}`);
  }

  #list(title, lines) {
    return h(
      "div",
      null,
      h("h2", { class: "minor" }, title),
      h(
        "ol",
        null,
        lines.map((line) => h("li", null, line)),
      ),
    );
  }

  #markdown() {
    const numbered = (lines) => lines.map((line, i) => `${i + 1}. ${line}`).join("\n");
    const offered = this.#last.items[0].choices.length ? [numbered(this.#offered())] : [];
    return [this.#last.blanked, ...offered, numbered(this.#key())].join("\n\n");
  }
}

customElements.define("view-exercise", Exercise);
