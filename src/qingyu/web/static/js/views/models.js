// @ts-check
// Models: what there is, what it takes, how true it is to its original; load and unload.
import * as api from "../api.js";
import { button, h, replace } from "../dom.js";
import { bytes, count, percent } from "../format.js";
import { t } from "../i18n.js";
import { parse, total } from "../metrics.js";
import { confirm } from "../parts/confirm.js";
import { open } from "../parts/dialogs.js";
import { markdown } from "../parts/markdown.js";
import { trouble } from "../parts/notice.js";

const VERSION = 12; // digits of the digest shown

class Models extends HTMLElement {
  #stop = new AbortController();
  #memory = h("div");
  #list = h("div", { class: "model-list" });
  #note = h("div");

  connectedCallback() {
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("models.title")), h("p", null, t("models.about"))),
      ),
      h("div", { class: "stack roomy" }, this.#note, this.#memory, this.#list),
    );
    this.#show();
  }

  disconnectedCallback() {
    this.#stop.abort();
  }

  async #show() {
    try {
      const signal = this.#stop.signal;
      const all = await api.json("v1/models", { signal });
      const reading = parse(await (await api.request("metrics", { signal })).text());
      replace(this.#memory, this.#bar(all, reading));
      replace(
        this.#list,
        all.models.length
          ? all.models.map((m) => this.#card(m, all.default))
          : h("p", { class: "muted" }, t("models.none")),
      );
    } catch (error) {
      this.#fail(error, () => this.#show());
    }
  }

  #fail(error, retry) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.ApiError)) throw error;
    replace(this.#note, trouble(error, retry));
  }

  #bar(all, reading) {
    const used = all.models.reduce((sum, m) => sum + m.memory_bytes, 0);
    const budget = all.memory_budget_bytes;
    const process = total(reading, "qingyu_resident_bytes");
    const share = used / (budget || process || 1);
    const words = budget ? t("models.of", { used: bytes(used), budget: bytes(budget) }) : bytes(used);
    return h(
      "section",
      { class: "card", "aria-label": t("models.budget") },
      h(
        "div",
        { class: "row" },
        h("h2", null, t("models.budget")),
        h("b", { class: "num" }, words),
        h("span", { class: "push muted small num" }, t("models.process", { bytes: bytes(process) })),
      ),
      h("div", { class: "progress", vars: { "--share": String(Math.min(1, share)) } }, h("span")),
    );
  }

  #card(model, first) {
    const facts = [
      ["size", bytes(model.bytes)],
      ["memory", model.loaded ? bytes(model.memory_bytes) : "—"],
      ["parameters", model.parameters ? count(model.parameters) : "—"],
      ["precision", model.precision.toUpperCase()],
      ["family", model.family],
      ["licence", model.licence || "—"],
      ["version", model.digest ? model.digest.slice(0, VERSION) : "—"],
    ];
    return h(
      "article",
      { class: "card model", "aria-label": model.name },
      h(
        "div",
        { class: "row" },
        h("h2", null, model.name),
        h(
          "span",
          { class: model.loaded ? "tag on" : "tag" },
          t(model.loaded ? "models.loaded" : "models.idle"),
        ),
        model.name === first && h("span", { class: "tag" }, t("models.default")),
        model.pinned && h("span", { class: "tag" }, t("models.pinned")),
        h("span", { class: "push" }),
        button(t("models.card"), { kind: "quiet", icon: "info", onclick: () => this.#open(model) }),
        this.#lever(model, first),
      ),
      h(
        "dl",
        { class: "facts" },
        facts.map(([name, value]) =>
          h("div", null, h("dt", null, t(`models.${name}`)), h("dd", { class: "num" }, value)),
        ),
      ),
      h(
        "div",
        { class: "field" },
        h("span", null, t("models.tasks")),
        h(
          "div",
          { class: "row" },
          model.tasks.map((task) => h("span", { class: "tag" }, t(`task.${task}`))),
        ),
      ),
      Object.keys(model.accuracy ?? {}).length > 0 &&
        h(
          "details",
          { class: "fold" },
          h("summary", null, t("models.agreement")),
          h("p", { class: "small muted" }, t("models.agreement.note")),
          agreement(model.accuracy),
        ),
    );
  }

  /** The model card, written by whoever made the model. */
  async #open(model) {
    try {
      const path = `v1/models/${encodeURIComponent(model.name)}/card`;
      const text = await (await api.request(path, { signal: this.#stop.signal })).text();
      open(model.name, () => h("div", { class: "written" }, markdown(text)), "wide");
    } catch (error) {
      this.#fail(error, () => this.#open(model));
    }
  }

  /** Loads or unloads a model; what is pinned stays, and so does the default, which others ask. */
  #lever(model, first) {
    if (model.pinned || (model.loaded && model.name === first)) return null;
    const act = model.loaded ? "unload" : "load";
    const pull = async (event) => {
      const lever = event.currentTarget;
      const words = t("models.unload.note", { bytes: bytes(model.memory_bytes) });
      if (model.loaded && !(await confirm(t("models.unload.ask", { name: model.name }), words))) return;
      lever.disabled = true;
      replace(this.#note);
      try {
        await api.request(`v2/repository/models/${encodeURIComponent(model.name)}/${act}`, {
          method: "POST",
          body: {},
          signal: this.#stop.signal,
        });
      } catch (error) {
        this.#fail(error, () => this.#show());
      }
      await api.models();
      await this.#show();
    };
    return button(t(`models.${act}`), { onclick: pull });
  }
}

/** The bundle's own report: how its parts agree with the model before compression. */
function agreement(report) {
  const columns = ["top1", "kl", "cosine", "rows"].filter((c) =>
    Object.values(report).some((part) => part?.[c] !== undefined),
  );
  const cell = (part, c) => {
    const value = part[c];
    if (value === undefined) return "";
    return c === "top1" ? percent(value) : c === "rows" ? count(value) : String(value);
  };
  const line = ([name, part]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, name),
      columns.map((c) => h("td", { class: "num" }, cell(part, c))),
    );
  return h(
    "table",
    { class: "table" },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, t("models.head")),
        columns.map((c) => h("th", { scope: "col" }, t(`models.${c}`))),
      ),
    ),
    h(
      "tbody",
      null,
      Object.entries(report)
        .filter(([, part]) => part && typeof part === "object")
        .map(line),
    ),
  );
}

customElements.define("view-models", Models);
