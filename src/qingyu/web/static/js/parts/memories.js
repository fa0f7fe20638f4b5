// @ts-check
// <qy-memories>: memories of phrases: those there are, which of them to use, and a box in which to
// teach a new one. Fires "use" with the names in use as the detail.
import * as api from "../api.js";
import { button, h, iconButton, replace, toggle } from "../dom.js";
import { bytes } from "../format.js";
import { t } from "../i18n.js";

const LONGEST_LINE = 20; // a text of short lines is a list of phrases

class Memories extends HTMLElement {
  #used = new Set();
  #list = h("ul", { class: "memory-list" });
  #text = h("textarea", {
    class: "input",
    rows: 4,
    lang: "zh-CN",
    placeholder: t("memories.placeholder"),
  });
  #name = h("input", {
    class: "input",
    type: "text",
    autocomplete: "off",
    value: t("memories.mine"),
    maxLength: 30,
  });
  #said = h("small", { role: "status" });
  #teach = button(t("memories.teach"), { onclick: () => this.#put() });

  connectedCallback() {
    this.#text.setAttribute("aria-label", t("memories"));
    this.#name.setAttribute("aria-label", t("memories.name"));
    this.replaceChildren(
      h(
        "div",
        { class: "field" },
        this.#list,
        this.#text,
        h("div", { class: "row" }, this.#name, this.#teach),
        this.#said,
        h("small", null, t("memories.note")),
      ),
    );
  }

  get value() {
    return [...this.#used];
  }

  set value(names) {
    this.#used = new Set(names);
  }

  /** Asks the service which there are; called when the box is opened. */
  async load() {
    try {
      const { phrases, enabled } = await api.json("v1/phrases");
      this.#teach.disabled = !enabled;
      if (!enabled) this.#said.textContent = t("memories.off");
      this.#paint(phrases);
    } catch (error) {
      this.#said.textContent = error.text ?? String(error);
    }
  }

  #paint(phrases) {
    const known = new Set(phrases.map(({ name }) => name));
    const gone = this.value.filter((name) => !known.has(name));
    if (gone.length) this.#change(this.value.filter((name) => known.has(name)));
    replace(
      this.#list,
      phrases.map(({ name, bytes: size, problem }) =>
        h(
          "li",
          { class: "row" },
          toggle(name, this.#used.has(name), (on) =>
            this.#change(on ? [...this.value, name] : this.value.filter((one) => one !== name)),
          ),
          h("small", { class: "num" }, problem ?? bytes(size)),
          iconButton(t("memories.drop", { name }), "close", { onclick: () => this.#drop(name) }),
        ),
      ),
    );
  }

  async #put() {
    const text = this.#text.value.trim();
    const name = this.#name.value.trim();
    if (!text || !name) return;
    const phrases = text.split("\n").every((line) => line.trim().length <= LONGEST_LINE);
    this.#teach.disabled = true;
    this.#said.textContent = t("memories.busy");
    try {
      const path = `v1/phrases/${encodeURIComponent(name)}`;
      const body = phrases ? { list: text } : { text };
      const made = await api.json(path, { method: "PUT", body });
      this.#said.textContent = t("memories.done", { name, n: made.entries });
      this.#text.value = "";
      this.#change([...new Set([...this.value, name])]);
      await this.load();
    } catch (error) {
      this.#said.textContent = error.text ?? String(error);
    }
    this.#teach.disabled = false;
  }

  async #drop(name) {
    try {
      await api.request(`v1/phrases/${encodeURIComponent(name)}`, { method: "DELETE" });
    } catch (error) {
      this.#said.textContent = error.text ?? String(error);
    }
    await this.load();
  }

  #change(names) {
    this.value = names;
    this.dispatchEvent(new CustomEvent("use", { detail: this.value }));
  }
}

customElements.define("qy-memories", Memories);
