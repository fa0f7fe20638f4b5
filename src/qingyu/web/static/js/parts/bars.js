// @ts-check
// <qy-bars>: a ranked list of scores as bars. Rows stay in place when the figures change.
// With `act` set, each row is a button and fires "choose" with its item as the detail.
import { h, replace } from "../dom.js";
import { percent } from "../format.js";

class Bars extends HTMLElement {
  #list = h("ol", { class: "bars", lang: "zh-CN" });
  /** item -> the accessible name of its button; unset, the rows are plain. */
  act = null;

  connectedCallback() {
    this.append(this.#list);
  }

  set label(text) {
    this.#list.setAttribute("aria-label", text);
  }

  /** `[{label, score, mark}]`, best first; `score` from 0 to 1, `mark` a word about it, if any. */
  set items(items) {
    while (this.#list.children.length > items.length) this.#list.lastChild.remove();
    items.forEach((item, i) => {
      const row = this.#list.children[i] ?? this.#list.appendChild(this.#row());
      row.item = item;
      row.label.textContent = item.label;
      row.figure.textContent = percent(item.score);
      row.mark.textContent = item.mark ?? "";
      if (this.act) row.body.setAttribute("aria-label", this.act(item));
      // A frame later, so that a new bar grows from nothing.
      requestAnimationFrame(() => row.style.setProperty("--share", String(item.score)));
    });
  }

  #row() {
    const row = h("li");
    row.label = h("span", { class: "bar-label" });
    row.figure = h("span", { class: "bar-figure num" });
    row.mark = h("small", { class: "bar-mark" });
    const inner = [h("span", { class: "bar-fill" }), row.label, row.mark, row.figure];
    const choose = () => this.dispatchEvent(new CustomEvent("choose", { detail: row.item }));
    row.body = this.act
      ? h("button", { type: "button", class: "bar", onclick: choose, onkeydown: step }, inner)
      : h("div", { class: "bar" }, inner);
    return replace(row, row.body);
  }
}

/** Arrow keys walk the rows. */
function step(event) {
  const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = to && event.currentTarget.parentElement[to];
  if (!row) return;
  event.preventDefault();
  row.firstChild.focus();
}

customElements.define("qy-bars", Bars);
