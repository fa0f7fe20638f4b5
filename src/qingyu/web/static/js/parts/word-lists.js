// @ts-check
// <qy-word-lists>: word lists that the service keeps for all who proofread here: which of them to
// use, and a place to keep one's own words for the others. Fires "use" when the choice changes.
import * as api from "../api.js";
import { button, h, replace, toggle } from "../dom.js";
import { t } from "../i18n.js";
import { keep, kept } from "../lists.js";

const PLACE = "qingyu.word-lists";

/** Names of the lists in use, kept in this browser. */
export const usedLists = () =>
  kept(PLACE)
    .filter((one) => typeof one === "string")
    .slice(0, 8);

class WordLists extends HTMLElement {
  /** @type {() => string[]} one's own words */ words = () => [];
  #list = h("div", { class: "stack" });
  #name = h("input", { class: "input", type: "text", autocomplete: "off", maxLength: 30 });
  #said = h("small", { role: "status" });

  connectedCallback() {
    this.#name.setAttribute("aria-label", t("lists.name"));
    this.#name.placeholder = t("lists.name");
    this.hidden = true;
    this.load();
  }

  /** Asks the service which lists there are; of one that keeps none, nothing is shown. */
  async load() {
    try {
      const { lists, enabled } = await api.json("v1/words");
      this.hidden = !enabled;
      if (enabled) this.#paint(lists);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error; // the view tells what ails the service
    }
  }

  #paint(lists) {
    const known = new Set(lists.map(({ name }) => name));
    const gone = usedLists().filter((name) => !known.has(name));
    if (gone.length) this.#use(usedLists().filter((name) => known.has(name)));
    replace(
      this.#list,
      lists.map(({ name, words, problem }) =>
        h(
          "div",
          { class: "row" },
          toggle(name, usedLists().includes(name), (on) =>
            this.#use(on ? [...usedLists(), name] : usedLists().filter((one) => one !== name)),
          ),
          h("small", { class: "num" }, problem ?? t("lists.words", { n: words })),
        ),
      ),
    );
    replace(
      this,
      h(
        "div",
        { class: "field" },
        h("span", null, t("lists")),
        this.#list,
        h("div", { class: "row" }, this.#name, button(t("lists.keep"), { onclick: () => this.#keep() })),
        this.#said,
      ),
    );
  }

  #use(names) {
    keep(PLACE, names);
    this.dispatchEvent(new CustomEvent("use"));
  }

  /** Keeps one's own words on the service under a name, with those the list has. */
  async #keep() {
    const name = this.#name.value.trim();
    if (!name || this.words().length === 0) {
      this.#said.textContent = t(name ? "lists.none" : "lists.name");
      return;
    }
    const path = `v1/words/${encodeURIComponent(name)}`;
    try {
      const { lists } = await api.json("v1/words");
      const there = lists.some((one) => one.name === name) ? (await api.json(path)).words : [];
      const body = { words: [...there, ...this.words()] };
      const { words } = await api.json(path, { method: "PUT", body });
      this.#said.textContent = t("lists.kept", { name, n: words });
      await this.load();
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      this.#said.textContent = error.text;
    }
  }
}

customElements.define("qy-word-lists", WordLists);
