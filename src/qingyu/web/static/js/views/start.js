// @ts-check
// The first view: what one wants to do, each with an example that leads into its view.
import * as api from "../api.js";
import { h, icon, replace } from "../dom.js";
import { t } from "../i18n.js";
import { PURPOSES } from "../purposes.js";
import { link } from "../router.js";
import { get, watch } from "../store.js";

class Start extends HTMLElement {
  #unwatch = null;

  connectedCallback() {
    this.#draw();
    this.#unwatch = watch((name) => name === "models" && this.#draw());
  }

  disconnectedCallback() {
    this.#unwatch?.();
  }

  #draw() {
    const known = get("models").length > 0;
    const shown = PURPOSES.filter(({ task }) => !task || !known || api.offers(task));
    replace(
      this,
      h(
        "div",
        { class: "view-head" },
        h("div", null, h("h1", null, t("start.title")), h("p", null, t("start.about"))),
      ),
      h(
        "ul",
        { class: "purposes" },
        shown.map((one) => h("li", null, this.#card(one))),
      ),
    );
  }

  /** @param {{ id: string, params?: Record<string, any>, gives?: string }} purpose */
  #card({ id, params, gives }) {
    const example = params
      ? [
          h("span", { class: "given", lang: "zh-CN" }, params.text),
          h("span", { class: "gives", lang: "zh-CN" }, "→ ", gives),
        ]
      : h("span", { class: "given" }, t(`purpose.${id}.example`));
    return h(
      "a",
      { class: "card purpose", href: link(id, params ?? {}) },
      h("h2", null, icon(id), t(`purpose.${id}`)),
      example,
    );
  }
}

customElements.define("view-start", Start);
