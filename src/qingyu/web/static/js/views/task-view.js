// @ts-check
// What every task has in common: a text, examples, an answer as one types, code, history, a link.
//
// A subclass says, as statics: `task` (its route), `id` (its address and the prefix of its texts),
// `defaults` (its state), `examples`; and as methods: `fields()`, `body()`, `answer(result, all)`.
import * as api from "../api.js";
import { button, field, h, replace, select } from "../dom.js";
import { millis } from "../format.js";
import * as history from "../history.js";
import { t } from "../i18n.js";
import { copyButton } from "../parts/copy.js";
import "../parts/code.js";
import "../parts/editor.js";
import { hint, trouble } from "../parts/notice.js";
import { note } from "../router.js";
import { get, watch } from "../store.js";

const PAUSE = 220; // ms after the last key before asking
const SETTLED = 1500; // ms an answer must stand before its input enters the history

export class TaskView extends HTMLElement {
  static live = true;
  static defaults = { text: "" };
  static examples = [];

  /** @type {any} the class of the view, for its statics */
  kind = this.constructor;
  /** @type {Record<string, any>} */
  state = { ...structuredClone(this.kind.defaults), model: "" };
  out = h("div", { class: "stack" });
  #cut = h("p", { class: "cut small" });
  #status = h("p", { class: "status num", role: "status" });
  #code = h("qy-code");
  #choice = h("div", { class: "stack choice" });
  #asked = null;
  #timers = {};
  #unwatch = null;

  /** Inputs beyond the text: nodes. They change state through `this.set`. */
  fields() {
    return [];
  }
  /** Inputs that depend on the models there are: nodes, drawn anew when those are known. */
  modelFields() {
    const able = get("models")
      .filter((m) => m.tasks?.includes(this.task))
      .map((m) => [m.name, m.name]);
    if (able.length < 2) return [];
    return [
      field(
        t("model"),
        select([["", t("model.default")], ...able], this.state.model, (model) =>
          this.set({ model }, { now: true }),
        ),
      ),
    ];
  }
  /**
   * The request, or null while there is nothing to ask.
   * @returns {any}
   */
  body() {
    return this.state.text.trim() ? { text: this.state.text } : null;
  }
  /** Shown while `body()` is null: nodes. */
  idle() {
    return hint(t(`${this.kind.id}.idle`));
  }
  /** Shows one result in `this.out`; `_body` is what was asked. */
  answer(_result, _all, _body) {}
  /** UTF-16 spans to light up in the text. */
  marks(_text) {
    return [];
  }
  /** Buttons under the text. */
  actions() {
    return [];
  }

  /** Whether to ask as one types. */
  get live() {
    return this.kind.live;
  }

  get task() {
    return this.kind.task;
  }

  /** Takes over the state of a link or of the history. */
  restore(params) {
    for (const [name, value] of Object.entries(this.kind.defaults)) {
      if (params[name] === undefined) continue;
      try {
        this.state[name] = typeof value === "string" ? params[name] : JSON.parse(params[name]);
      } catch {
        // A damaged link keeps the default.
      }
    }
    if (this.isConnected) this.#build();
  }

  /** The state as link parameters: only what differs from the defaults. */
  params() {
    const changed = Object.entries(this.kind.defaults).filter(
      ([k, v]) => JSON.stringify(v) !== JSON.stringify(this.state[k]),
    );
    return Object.fromEntries(
      changed.map(([k, v]) => [k, typeof v === "string" ? this.state[k] : JSON.stringify(this.state[k])]),
    );
  }

  connectedCallback() {
    this.#build();
    this.#unwatch = watch((name, up) => {
      if (name === "models") replace(this.#choice, this.modelFields());
      if (name === "connected" && up && this.#asked === null && this.out.querySelector(".notice.bad"))
        this.run();
    });
  }

  disconnectedCallback() {
    this.#unwatch?.();
    this.#drop();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
  }

  /** Changes state and asks again in a moment. */
  set(patch, { now = false } = {}) {
    Object.assign(this.state, patch);
    note(this.kind.id, this.params());
    clearTimeout(this.#timers.ask);
    clearTimeout(this.#timers.keep);
    if (this.live || this.body() === null) this.#timers.ask = setTimeout(() => this.run(), now ? 0 : PAUSE);
  }

  #build() {
    const { id, examples } = this.kind;
    this.editor = h("qy-editor", { onedit: () => this.set({ text: this.editor.value }) });
    Object.assign(this.editor, {
      marks: (text) => this.marks(text),
      label: t(`${id}.label`),
      placeholder: t(`${id}.placeholder`),
      value: this.state.text,
    });
    replace(this.#choice, this.modelFields());
    const go = button(t(`${id}.run`), { kind: "primary", onclick: () => this.run({ asked: true }) });
    const share = copyButton(() => location.href, t("share"), "link");
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t(`${id}.title`)), h("p", null, t(`${id}.about`))),
        share,
      ),
      h(
        "div",
        { class: "panes" },
        h(
          "section",
          {
            class: "card ask",
            "aria-label": t("input"),
            onkeydown: (e) => e.key === "Enter" && (e.ctrlKey || e.metaKey) && this.run({ asked: true }),
          },
          h(
            "div",
            { class: "sheet" },
            this.editor,
            h(
              "div",
              { class: "row sheet-foot" },
              this.actions(),
              button(t("clear"), {
                kind: "quiet",
                onclick: () => (this.editor.put(""), this.editor.focus()),
              }),
              h("span", { class: "push" }),
              go,
            ),
          ),
          this.#choice,
          this.fields(),
          examples.length > 0 && this.#examples(examples),
        ),
        h(
          "section",
          { class: "card answer", "aria-label": t("answer") },
          h("div", { class: "pending", "aria-hidden": "true" }),
          this.out,
          this.#cut,
          this.#status,
          this.#code,
        ),
      ),
    );
    this.run();
  }

  #examples(list) {
    const chip = (example) => {
      const patch = typeof example === "string" ? { text: example } : example;
      const put = () => {
        Object.assign(this.state, structuredClone({ ...this.kind.defaults, ...patch }));
        this.#build();
      };
      return h(
        "button",
        { type: "button", class: "example", lang: "zh-CN", onclick: put },
        patch.title ?? patch.text,
      );
    };
    return h(
      "div",
      { class: "examples" },
      h("h2", { class: "minor" }, t("examples")),
      h("div", { class: "example-list" }, list.map(chip)),
    );
  }

  /** Asks the service; a newer question drops an older one, and its answer with it. */
  async run({ asked = false } = {}) {
    clearTimeout(this.#timers.ask);
    clearTimeout(this.#timers.keep);
    this.#drop();
    note(this.kind.id, this.params());
    const body = this.body();
    if (body === null) return this.#rest(asked);
    if (this.state.model) body.model = this.state.model;
    const mine = (this.#asked = new AbortController());
    this.setAttribute("aria-busy", "true");
    try {
      const all = await api.ask(this.task, body, mine.signal);
      if (this.#asked !== mine) return;
      this.answer(all.results[0], all, body);
      const told = ["truncated", "converted"].filter((name) => all.results[0][name]);
      replace(this.#cut, told.length > 0 && told.map((name) => t(name)).join(" "));
      replace(this.#status, t("status", { model: all.model, inside: millis(all.elapsed_ms) }));
      this.#code.show(this.task, body, all);
      this.#reveal(asked);
      this.#timers.keep = setTimeout(
        () => history.add(this.kind.id, this.params(), this.state.text),
        SETTLED,
      );
    } catch (error) {
      if (this.#asked !== mine) return;
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        this.out,
        trouble(error, () => this.run({ asked: true })),
      );
      if (error.retryAfter !== null)
        this.#timers.ask = setTimeout(() => this.run({ asked: true }), error.retryAfter * 1000);
      replace(this.#cut);
      replace(this.#status);
      this.#code.show(this.task, body, null);
      this.#reveal(asked);
    } finally {
      if (this.#asked === mine) {
        this.#asked = null;
        this.removeAttribute("aria-busy");
      }
    }
  }

  /** An answer that scrolls can be reached by key, and one that was asked for comes into sight. */
  #reveal(asked) {
    if (this.out.scrollHeight > this.out.clientHeight) this.out.tabIndex = 0;
    else this.out.removeAttribute("tabindex");
    if (asked) this.out.scrollIntoView({ block: "nearest" });
  }

  #drop() {
    this.#asked?.abort();
    this.#asked = null;
  }

  #rest(asked) {
    this.removeAttribute("aria-busy");
    replace(this.out, this.idle());
    replace(this.#cut);
    replace(this.#status);
    this.#code.show(this.task, null, null);
    if (asked) this.editor.focus();
  }
}
