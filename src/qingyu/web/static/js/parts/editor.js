// @ts-check
// <qy-editor>: a text box that grows with its text and lights up spans behind it.
// Fires "edit" when the text has changed, once per input-method composition.
import { h, replace } from "../dom.js";

export class Editor extends HTMLElement {
  #box = h("textarea", { rows: 1, autocapitalize: "off", autocomplete: "off", lang: "zh-CN" });
  #back = h("div", { class: "editor-back", "aria-hidden": "true" });
  #earlier = [];
  /** text -> [{start, end, kind?}] in UTF-16 units, in order; `kind` is a class of the mark. */
  /** @type {(text: string) => {start: number, end: number, kind: string}[]} */
  marks = () => [];

  constructor() {
    super();
    this.#box.setAttribute("spellcheck", "false");
    this.#box.addEventListener("input", (event) => {
      this.#paint();
      if (!event.isComposing) this.#tell();
    });
    this.#box.addEventListener("compositionend", () => this.#tell());
  }

  connectedCallback() {
    this.replaceChildren(this.#back, this.#box);
    this.#paint();
  }

  set label(text) {
    this.#box.setAttribute("aria-label", text);
  }

  set placeholder(text) {
    this.#box.placeholder = text;
  }

  get value() {
    return this.#box.value;
  }

  /** Sets the text silently. */
  set value(text) {
    if (text === this.#box.value) return;
    this.#box.value = text;
    this.#paint();
  }

  get canUndo() {
    return this.#earlier.length > 0;
  }

  /** Sets the text as an act of the user, which `undo` takes back. */
  put(text) {
    this.#earlier.push(this.value);
    this.value = text;
    this.#tell();
  }

  undo() {
    this.value = this.#earlier.pop() ?? this.value;
    this.#tell();
  }

  /** Puts `text` where the cursor stands. */
  insert(text) {
    const { selectionStart: from, selectionEnd: to, value } = this.#box;
    this.put(value.slice(0, from) + text + value.slice(to));
    this.#box.focus();
    this.#box.setSelectionRange(from + text.length, from + text.length);
  }

  focus() {
    this.#box.focus();
  }

  /** Where the cursor stands, or the end of the selection. */
  get caret() {
    return this.#box.selectionEnd;
  }

  /** Selects a stretch of the text and brings it into sight. */
  select(start, end) {
    this.#box.focus();
    this.#box.setSelectionRange(start, end);
    const marked = this.marks(this.value).findIndex((mark) => mark.start === start);
    if (marked >= 0) this.mark(marked)?.scrollIntoView({ block: "nearest" });
  }

  /** The element behind the n-th of the marks. */
  mark(n) {
    return this.#back.querySelectorAll("mark")[n];
  }

  /** Draws the marks anew where the text has not changed. */
  paint() {
    this.#paint();
  }

  #tell() {
    this.dispatchEvent(new CustomEvent("edit", { bubbles: true }));
  }

  #paint() {
    const text = this.value;
    const nodes = [];
    let at = 0;
    for (const { start, end, kind } of this.marks(text)) {
      nodes.push(text.slice(at, start), h("mark", { class: kind }, text.slice(start, end)));
      at = end;
    }
    // The last line needs something in it, or an ending line break has no height.
    replace(this.#back, nodes, `${text.slice(at)}\u200b`);
  }
}

customElements.define("qy-editor", Editor);
