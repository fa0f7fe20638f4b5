// <qy-drop>: a place to drop a file, or to choose one. Fires "file" with the File as the detail.
import { h, icon, replace } from "../dom.js";
import { t } from "../i18n.js";

const KINDS = ".csv,.tsv,.jsonl,.ndjson,.txt,.xlsx";

class Drop extends HTMLElement {
  connectedCallback() {
    const input = h("input", {
      type: "file",
      accept: KINDS,
      class: "sr",
      onchange: () => this.#take(input.files),
    });
    const label = h(
      "label",
      { class: "drop" },
      input,
      icon("up"),
      h("b", null, t("files.drop")),
      h("span", { class: "small muted" }, t("files.kinds")),
    );
    const over = (on) => (event) => {
      event.preventDefault();
      label.classList.toggle("over", on);
    };
    label.addEventListener("dragover", over(true));
    label.addEventListener("dragleave", over(false));
    label.addEventListener("drop", (event) => {
      over(false)(event);
      this.#take(event.dataTransfer.files);
    });
    replace(this, label);
  }

  #take(files) {
    if (files[0]) this.dispatchEvent(new CustomEvent("file", { detail: files[0] }));
    this.querySelector("input").value = "";
  }
}

customElements.define("qy-drop", Drop);
