// @ts-check
// A library of answers: a sheet of questions and answers becomes an index, which is asked.
import * as api from "../api.js";
import { button, field, h, iconButton, replace } from "../dom.js";
import { FileError } from "../files/decode.js";
import { readTable, textColumn } from "../files/table.js";
import { count, millis } from "../format.js";
import { t } from "../i18n.js";
import "../parts/code.js";
import "../parts/columns.js";
import { confirm } from "../parts/confirm.js";
import "../parts/drop.js";
import { answerColumn } from "../parts/hits.js";
import "../parts/many.js";
import { hint, trouble, unreadable } from "../parts/notice.js";
import { note } from "../router.js";

const BEST = 3; // answers shown
const LONGEST_NAME = 30; // characters: a name has at most 100 bytes

class Library extends HTMLElement {
  /** @type {Record<string, string>} */
  state = { index: "", text: "" };
  #indexes = [];
  #stop = new AbortController();
  #asked = null;
  #shelf = h("div", { class: "stack" });
  #draft = h("div");
  #said = h("div");
  #desk = h("div", { class: "stack" });

  restore(params) {
    for (const name of Object.keys(this.state)) this.state[name] = params[name] ?? this.state[name];
    if (this.isConnected) this.#paint();
  }

  connectedCallback() {
    this.drop = h("qy-drop", { onfile: (e) => this.#open(e.detail) });
    this.drop.words = "library.drop";
    this.drop.note = "library.kinds";
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("library.title")), h("p", null, t("library.about"))),
      ),
      h("div", { class: "stack roomy" }, this.#shelf, this.drop, this.#draft, this.#said, this.#desk),
    );
    this.#load();
  }

  disconnectedCallback() {
    this.#stop.abort();
    this.#asked?.abort();
  }

  /** Which libraries the service has. */
  async #load() {
    this.setAttribute("aria-busy", "true");
    try {
      const { indexes, enabled } = await api.json("v1/indexes", { signal: this.#stop.signal });
      this.#indexes = indexes;
      replace(this.#said, !enabled && hint(t("library.off")));
      this.drop.hidden = !enabled;
      if (!indexes.some(({ name }) => name === this.state.index)) this.state.index = indexes[0]?.name ?? "";
      this.#paint();
    } catch (error) {
      this.#fail(error, () => this.#load());
    } finally {
      this.removeAttribute("aria-busy");
    }
  }

  #fail(error, retry) {
    if (error.name === "AbortError") return;
    if (error instanceof FileError) replace(this.#said, unreadable(error));
    else if (error instanceof api.ApiError) replace(this.#said, trouble(error, retry));
    else throw error;
    this.#said.scrollIntoView({ block: "nearest" });
  }

  /** The libraries, and the desk at which the chosen one is asked. */
  #paint() {
    const choose = (name) => {
      this.state.index = name;
      this.#paint();
    };
    const card = ({ name, rows, problem }) =>
      h(
        "li",
        { class: "shelf-item" },
        h(
          "button",
          {
            type: "button",
            class: "shelf-name",
            "aria-pressed": String(name === this.state.index),
            onclick: () => choose(name),
          },
          h("b", null, name),
          h("small", { class: "muted num" }, problem ?? t("library.rows", { n: count(rows) })),
        ),
        iconButton(t("library.remove", { name }), "close", { onclick: () => this.#remove(name) }),
      );
    replace(
      this.#shelf,
      this.#indexes.length > 0 &&
        h("ul", { class: "shelf", "aria-label": t("library.shelf") }, this.#indexes.map(card)),
    );
    const chosen = this.#indexes.find(({ name }) => name === this.state.index);
    this.drop.classList.toggle("slim", this.#indexes.length > 0);
    note("library", Object.fromEntries(Object.entries(this.state).filter(([, value]) => value)));
    replace(this.#desk, chosen && !chosen.problem && this.#ask());
  }

  #ask() {
    const box = h("input", {
      class: "input",
      lang: "zh-CN",
      value: this.state.text,
      placeholder: t("library.placeholder"),
      oninput: () => {
        this.state.text = box.value;
      },
    });
    const hits = h("qy-hits");
    const status = h("p", { class: "status num", role: "status" });
    const code = h("qy-code");
    const said = h("div");
    const ask = async (event) => {
      event?.preventDefault();
      const text = box.value.trim();
      if (!text) return;
      note("library", this.state);
      this.#asked?.abort();
      const mine = (this.#asked = new AbortController());
      const body = { index: this.state.index, text, top_k: BEST };
      this.setAttribute("aria-busy", "true");
      try {
        const all = await api.ask("search", body, mine.signal);
        replace(said);
        hits.show(text, all.results[0].hits);
        replace(status, t("library.status", { index: this.state.index, inside: millis(all.elapsed_ms) }));
        code.show("search", body, all);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (!(error instanceof api.ApiError)) throw error;
        replace(said, trouble(error, ask));
      } finally {
        if (this.#asked === mine) this.removeAttribute("aria-busy");
      }
    };
    const many = h("qy-many");
    many.index = this.state.index;
    if (this.state.text) ask();
    return [
      h(
        "section",
        { class: "card", "aria-label": t("library.ask") },
        h(
          "form",
          { class: "ask-line", onsubmit: ask },
          field(t("library.question", { index: this.state.index }), box),
          h("button", { class: "btn primary" }, t("library.run")),
        ),
        said,
        hits,
        status,
        code,
      ),
      many,
    ];
  }

  async #open(file, how = {}) {
    try {
      const table = await readTable(file, how);
      const first = textColumn(table);
      const columns = h("qy-columns", {
        onreopen: (e) => this.#open(file, e.detail),
        onclose: () => replace(this.#draft),
      });
      const name = h("input", {
        class: "input",
        maxLength: LONGEST_NAME,
        value: file.name.replace(/\.\w+$/, "").slice(0, LONGEST_NAME),
      });
      const build = button(t("library.build"), {
        kind: "primary",
        onclick: () => this.#build(columns, name, build),
      });
      replace(
        this.#draft,
        h(
          "section",
          { class: "card", "aria-label": file.name },
          columns,
          h("div", { class: "ask-line" }, field(t("library.name"), name), build),
        ),
      );
      columns.open({
        name: file.name,
        table,
        how,
        first,
        second: answerColumn(table.header, table.rows.slice(0, 50), first),
        words: [t("library.questions"), t("library.answers")],
        optional: t("library.none"),
      });
      replace(this.#said);
    } catch (error) {
      this.#fail(error, () => this.#open(file, how));
    }
  }

  async #build(columns, box, go) {
    const { table, first, second } = columns.work;
    const name = box.value.trim();
    const rows = columns.rows;
    if (!name || rows.length === 0) return box.focus();
    const [question, answer] = [table.header[first], second < 0 ? "" : table.header[second]];
    const body = {
      text: question,
      rows: rows.map(([q, a]) =>
        answer && answer !== question ? { [question]: q, [answer]: a } : { [question]: q },
      ),
    };
    go.disabled = true;
    this.setAttribute("aria-busy", "true");
    replace(
      this.#said,
      h("p", { class: "muted", role: "status" }, t("library.building", { n: count(rows.length) })),
    );
    try {
      await api.json(`v1/indexes/${encodeURIComponent(name)}`, {
        method: "PUT",
        body,
        signal: this.#stop.signal,
      });
      this.state = { index: name, text: "" };
      replace(this.#draft);
      await this.#load();
      replace(
        this.#said,
        h("p", { class: "clean", role: "status" }, t("library.built", { name, n: count(rows.length) })),
      );
      /** @type {HTMLElement} */ (this.querySelector(".ask-line input"))?.focus();
    } catch (error) {
      this.#fail(error, () => this.#build(columns, box, go));
    } finally {
      go.disabled = false;
      this.removeAttribute("aria-busy");
    }
    return undefined;
  }

  async #remove(name) {
    if (!(await confirm(t("library.remove", { name }), t("library.gone")))) return;
    try {
      await api.request(`v1/indexes/${encodeURIComponent(name)}`, { method: "DELETE" });
    } catch (error) {
      this.#fail(error, () => this.#remove(name));
    }
    await this.#load();
  }
}

customElements.define("view-library", Library);
