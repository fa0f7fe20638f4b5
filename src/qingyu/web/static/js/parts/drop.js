// @ts-check
// <qy-drop>: a place to drop a file, or to choose one. Fires "file" with the File as the detail.
// `kinds` and the texts `words` and `note` say which; tables by default.
import { h, icon, replace } from "../dom.js";
import { t } from "../i18n.js";

const KINDS = ".csv,.tsv,.jsonl,.ndjson,.json,.txt,.xlsx";

class Drop extends HTMLElement {
  #gone = null;
  kinds = KINDS;
  words = "files.drop";
  note = "files.kinds";

  connectedCallback() {
    const input = h("input", {
      type: "file",
      accept: this.kinds,
      class: "sr",
      onchange: () => this.#take(input.files),
    });
    const label = h(
      "label",
      { class: "drop" },
      input,
      icon("up"),
      h("b", null, t(this.words)),
      h("span", { class: "small muted" }, t(this.note)),
    );
    const over = (on) => (event) => {
      event.preventDefault();
      label.classList.toggle("over", on);
    };
    // The whole window takes the file: dropped beside the box, it would replace the page.
    this.#gone = new AbortController();
    const { signal } = this.#gone;
    addEventListener("dragover", over(true), { signal });
    addEventListener("dragleave", over(false), { signal });
    addEventListener(
      "drop",
      (event) => {
        over(false)(event);
        this.#take(event.dataTransfer.files);
      },
      { signal },
    );
    replace(this, label);
  }

  disconnectedCallback() {
    this.#gone.abort();
  }

  #take(files) {
    if (files[0]) this.dispatchEvent(new CustomEvent("file", { detail: files[0] }));
    this.querySelector("input").value = "";
  }
}

customElements.define("qy-drop", Drop);
