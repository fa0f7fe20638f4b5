// @ts-check
// How natural a sentence is, character by character; and which characters look wrong.
import * as api from "../api.js";
import { button, h, replace } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import { get } from "../store.js";
import { splice, surface } from "../text.js";
import { TaskView } from "./task-view.js";

const LONG = 160; // characters
const CLOSING = /^[\p{Pe}\p{Pf}，。、；：？！…—,.;:?!%％]/u;
const OPENING = /[\p{Ps}\p{Pi}]$/u;
const WORST = 8; // nats at which the heat is full: a chance of 1 in 3,000

class Score extends TaskView {
  static id = "score";
  static task = "score";
  static defaults = { text: "今天天汽真好，我们一起去公圆玩吧。" };
  static examples = [
    "今天天汽真好，我们一起去公圆玩吧。",
    "他因为感冒，所以今天没有来上课。",
    "我门要认真学习，天天向上。",
    "这个问题已经得到了园满的解决。",
  ];

  // Every character costs a visit to the model: a long text waits for the button.
  get live() {
    return this.state.text.length <= LONG;
  }

  answer(result, _all, body) {
    this.result = result;
    const mean = result.tokens.length
      ? result.tokens.reduce((sum, x) => sum - x.log_prob, 0) / result.tokens.length
      : 0;
    this.detail = h(
      "div",
      { class: "detail", "aria-live": "polite" },
      h("p", { class: "muted small" }, t("score.pick")),
    );
    this.found = h("div", { class: "stack" });
    replace(
      this.out,
      this.#heat(result),
      h(
        "div",
        { class: "heat-key small muted" },
        t("score.expected"),
        h("span", { "aria-hidden": "true" }),
        t("score.surprising"),
      ),
      this.detail,
      this.found,
      h(
        "details",
        { class: "fold" },
        h("summary", null, t("score.figures")),
        h(
          "dl",
          { class: "facts" },
          fact(t("score.perplexity"), result.perplexity.toFixed(1)),
          fact(t("score.mean"), mean.toFixed(2)),
        ),
      ),
    );
    if (get("models").length === 0 || api.offers("check")) this.#check(body);
  }

  /** The characters with their heat; one tab stop, arrows walk. */
  #heat({ text, tokens }) {
    const points = [...text];
    const cells = tokens.map((token, i) =>
      h(
        "button",
        {
          type: "button",
          class: "heat",
          tabindex: i === 0 ? 0 : -1,
          vars: { "--heat": Math.min(1, Math.max(0, -token.log_prob / WORST)).toFixed(3) },
          "aria-label": t("score.cell", {
            token: points.slice(token.start, token.end).join(""),
            score: percent(Math.exp(token.log_prob)),
          }),
          onfocus: () => this.#show(token),
          onclick: () => this.#show(token),
        },
        points.slice(token.start, token.end).join(""),
      ),
    );
    // Closing marks stay with the character before them, opening ones with that after: buttons may
    // break a line anywhere, and none is to begin with a comma.
    const words = [];
    let at = 0;
    tokens.forEach((token, i) => {
      const between = points.slice(at, token.start).join("");
      const before = points[token.start - 1] ?? "";
      const joined = between === "" && i > 0 && (CLOSING.test(points[token.start]) || OPENING.test(before));
      if (!joined) words.push(between, h("span", { class: "heat-word" }));
      words.at(-1).append(cells[i]);
      at = token.end;
    });
    const walk = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = step && cells[cells.indexOf(event.target) + step];
      if (!next) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    };
    return h(
      "div",
      { class: "sentence", lang: "zh-CN", role: "group", "aria-label": t("score.heat"), onkeydown: walk },
      words,
      points.slice(at).join(""),
    );
  }

  #show(token) {
    const here = [...this.result.text].slice(token.start, token.end).join("");
    replace(
      this.detail,
      h(
        "p",
        null,
        t("score.detail", {
          token: here,
          score: percent(Math.exp(token.log_prob)),
        }),
      ),
    );
  }

  /** Which characters look wrong, and what would fit. */
  async #check(body) {
    const place = this.found;
    let result;
    try {
      result = (await api.ask("check", body)).results[0];
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      return replace(place, h("p", { class: "muted small" }, error.text));
    }
    if (!place.isConnected) return undefined;
    if (result.suspects.length === 0) return replace(place, h("p", { class: "clean" }, t("score.clean")));
    const one = (suspect) =>
      h(
        "li",
        { class: "suspect" },
        h("b", null, suspect.text),
        h("i", { "aria-hidden": "true" }, "→"),
        suspect.candidates.slice(0, 4).map((c) =>
          button(h("span", { class: "song" }, surface(c.token)), {
            title: percent(c.score),
            "aria-label": t("score.replace", { token: surface(c.token), score: percent(c.score) }),
            onclick: () => this.editor.put(splice(result.text, suspect.start, suspect.end, surface(c.token))),
          }),
        ),
      );
    return replace(
      place,
      h("h2", { class: "minor" }, t("score.suspects", { n: result.suspects.length })),
      h("ul", { class: "suspects" }, result.suspects.map(one)),
    );
  }
}

const fact = (name, value) => h("div", null, h("dt", null, name), h("dd", { class: "num" }, value));

customElements.define("view-score", Score);
