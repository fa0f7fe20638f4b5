// @ts-check
// <qy-chips>: a list of short texts as chips. Enter or a comma of either width adds one,
// Backspace in the empty box takes the last. Fires "change" with the list as the detail.
import { h, icon, replace } from "../dom.js";
import { t } from "../i18n.js";

const BREAKS = /[\n,，、;；\t]+/;

class Chips extends HTMLElement {
  #list = [];
  #items = h("ul", { class: "chip-list" });
  #box = h("input", { type: "text", autocomplete: "off" });

  connectedCallback() {
    this.#box.addEventListener("keydown", (e) => this.#key(e));
    this.#box.addEventListener(
      "input",
      (e) => !e.isComposing && BREAKS.test(this.#box.value) && this.#take(),
    );
    this.#box.addEventListener("compositionend", () => BREAKS.test(this.#box.value) && this.#take());
    this.#box.addEventListener("blur", () => this.#take());
    this.replaceChildren(
      h(
        "div",
        { class: "chips", onclick: (e) => e.target === e.currentTarget && this.#box.focus() },
        this.#items,
        this.#box,
      ),
    );
    this.#paint();
  }

  set label(text) {
    this.#box.setAttribute("aria-label", text);
    this.#items.setAttribute("aria-label", text);
  }

  set placeholder(text) {
    this.#box.placeholder = text;
  }

  get value() {
    return [...this.#list];
  }

  set value(list) {
    this.#list = [...list];
    this.#paint();
  }

  #key(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      this.#take();
    } else if (event.key === "Backspace" && this.#box.value === "" && this.#list.length) {
      this.#change(this.#list.slice(0, -1));
    }
  }

  #take() {
    const fresh = this.#box.value
      .split(BREAKS)
      .map((v) => v.trim())
      .filter(Boolean);
    this.#box.value = "";
    if (fresh.length) this.#change([...new Set([...this.#list, ...fresh])]);
  }

  #change(list) {
    this.value = list;
    this.dispatchEvent(new CustomEvent("change", { detail: this.value }));
  }

  #paint() {
    const chip = (text, i) => {
      const drop = () => {
        this.#change(this.#list.filter((_, j) => j !== i));
        this.#box.focus();
      };
      return h(
        "li",
        { class: "chip" },
        text,
        h(
          "button",
          { type: "button", "aria-label": t("chips.drop", { text }), onclick: drop },
          icon("close"),
        ),
      );
    };
    replace(this.#items, this.#list.map(chip));
    this.#items.hidden = this.#list.length === 0;
  }
}

customElements.define("qy-chips", Chips);
