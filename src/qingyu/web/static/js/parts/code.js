// @ts-check
// <qy-code>: the request as curl and Python, the answer as JSON, folded away until wanted.
import { h, replace } from "../dom.js";
import { t } from "../i18n.js";
import { curl, python } from "../snippets.js";
import { copyButton } from "./copy.js";

class Code extends HTMLElement {
  #tab = "curl";
  #task = "";
  #body = null;
  #answer = null;
  #text = h("code");

  connectedCallback() {
    const tabs = ["curl", "python", "json"].map((id) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `code-${id}`,
          "aria-controls": "code-panel",
          onclick: () => this.#show(id),
        },
        { curl: "curl", python: "Python", json: t("code.json") }[id],
      ),
    );
    const list = h(
      "div",
      { class: "tabs", role: "tablist", "aria-label": t("code.title"), onkeydown: (e) => this.#walk(e) },
      tabs,
    );
    const panel = h("pre", { id: "code-panel", role: "tabpanel", tabindex: 0 }, this.#text);
    const head = h(
      "div",
      { class: "row" },
      list,
      h("span", { class: "push" }),
      copyButton(() => this.#text.textContent),
    );
    const details = h(
      "details",
      { class: "fold", ontoggle: () => this.#paint() },
      h("summary", null, t("code.title")),
      head,
      panel,
    );
    this.replaceChildren(details);
    this.#show(this.#tab);
  }

  /** What was asked and what came back. */
  show(task, body, answer) {
    [this.#task, this.#body, this.#answer] = [task, body, answer];
    this.#paint();
  }

  #show(id) {
    this.#tab = id;
    for (const tab of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[role=tab]"))) {
      const on = tab.id === `code-${id}`;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    this.querySelector("#code-panel").setAttribute("aria-labelledby", `code-${id}`);
    this.#paint();
  }

  #walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = [.../** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll("[role=tab]"))];
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  }

  #paint() {
    this.hidden = this.#body === null;
    if (this.hidden || !(/** @type {HTMLDetailsElement} */ (this.firstChild).open)) return;
    const text = { curl, python, json: () => JSON.stringify(this.#answer, null, 2) }[this.#tab](
      this.#task,
      this.#body,
    );
    replace(this.#text, text);
  }
}

customElements.define("qy-code", Code);
