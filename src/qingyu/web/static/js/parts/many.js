// @ts-check
// <qy-many>: many questions at once, a line each, answered from one index into a table.
import { button, field, h, replace } from "../dom.js";
import { write } from "../files/delimited.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import * as api from "../api.js";
import { save } from "../proof/documents.js";
import { SURE, sureness, told } from "./hits.js";
import { trouble } from "./notice.js";

const PORTION = 64; // questions of a request

class Many extends HTMLElement {
  index = "";
  #stop = new AbortController();
  #box = h("textarea", { class: "input", rows: 5, lang: "zh-CN" });
  #out = h("div", { class: "stack" });

  connectedCallback() {
    this.#box.placeholder = t("many.placeholder");
    replace(
      this,
      h(
        "section",
        { class: "card", "aria-label": t("many.title") },
        field(t("many.title"), this.#box, t("many.note")),
        h("div", { class: "row" }, button(t("many.run"), { onclick: () => this.#run() })),
        this.#out,
      ),
    );
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  async #run() {
    const texts = this.#box.value
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
    if (texts.length === 0) return this.#box.focus();
    this.setAttribute("aria-busy", "true");
    const rows = [];
    try {
      for (let at = 0; at < texts.length; at += PORTION) {
        const text = texts.slice(at, at + PORTION);
        const { results } = await api.ask("search", { index: this.index, text, top_k: 1 }, this.#stop.signal);
        rows.push(...results.map(({ hits: [hit] }, i) => (hit ? [text[i], hit] : [text[i], null])));
      }
      replace(this.#out, this.#table(rows));
    } catch (error) {
      if (error.name === "AbortError") return undefined;
      if (!(error instanceof api.ApiError)) throw error;
      replace(
        this.#out,
        trouble(error, () => this.#run()),
      );
    } finally {
      this.removeAttribute("aria-busy");
    }
    return undefined;
  }

  #table(rows) {
    const names = ["asked", "found", "answer", "sure"].map((name) => t(`many.${name}`));
    const cells = ([asked, hit]) =>
      hit ? [asked, hit.text, told(hit).answer, percent(sureness(hit))] : [asked, "", "", ""];
    const line = (row) =>
      h(
        "tr",
        { class: !row[1] || sureness(row[1]) < SURE ? "unsure" : "" },
        cells(row).map((cell, i) => h("td", { class: i === 3 ? "num" : "", lang: "zh-CN" }, cell)),
      );
    const unsure = rows.filter(([, hit]) => !hit || sureness(hit) < SURE).length;
    const csv = () =>
      save(new Blob([write([names, ...rows.map(cells)])], { type: "text/csv" }), `${this.index}.csv`);
    return [
      h(
        "div",
        { class: "row" },
        h("p", { class: "small", role: "status" }, t("many.said", { n: rows.length, unsure })),
        h("span", { class: "push" }),
        button("CSV", { icon: "down", "aria-label": t("job.download", { format: "CSV" }), onclick: csv }),
      ),
      h(
        "div",
        { class: "table-scroll tall", tabindex: 0, role: "region", "aria-label": t("many.title") },
        h(
          "table",
          { class: "table" },
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              names.map((name) => h("th", { scope: "col" }, name)),
            ),
          ),
          h("tbody", null, rows.map(line)),
        ),
      ),
    ];
  }
}

customElements.define("qy-many", Many);
