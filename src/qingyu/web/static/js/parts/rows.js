// @ts-check
// <qy-rows>: the rows to teach with, each label to change and each row to drop. Fires "change".
import { button, h, iconButton, replace } from "../dom.js";
import { count } from "../format.js";
import { t } from "../i18n.js";
import * as lessons from "../lessons.js";
import { confirm } from "./confirm.js";

const SHOWN = 100; // rows drawn; the newest are the ones to look at

class Rows extends HTMLElement {
  connectedCallback() {
    this.draw();
  }

  draw() {
    const rows = lessons.rows();
    if (rows.length === 0) return replace(this);
    const list = h(
      "datalist",
      { id: "lesson-labels" },
      lessons.counts(rows).map(([label]) => h("option", { value: label })),
    );
    const newest = rows.map((row, i) => ({ row, i })).reverse();
    return replace(
      this,
      h(
        "details",
        { class: "fold" },
        h("summary", null, t("rows.title", { n: count(rows.length) })),
        list,
        h(
          "div",
          { class: "table-scroll tall", tabindex: 0, role: "region", "aria-label": t("rows.label") },
          h(
            "table",
            { class: "table" },
            h(
              "tbody",
              null,
              newest.slice(0, SHOWN).map(({ row, i }) => this.#line(row, i)),
            ),
          ),
        ),
        rows.length > SHOWN &&
          h("p", { class: "small muted" }, t("rows.rest", { n: count(rows.length - SHOWN) })),
        h("div", { class: "row" }, button(t("rows.clear"), { kind: "danger", onclick: () => this.#clear() })),
      ),
    );
  }

  #line([text, label], i) {
    const box = h("input", {
      class: "input",
      value: label,
      "aria-label": t("rows.of", { text: text.slice(0, 20) }),
    });
    box.setAttribute("list", "lesson-labels");
    box.addEventListener("change", () => {
      const all = lessons.rows();
      all[i] = [text, box.value.trim() || label];
      this.#keep(all, false);
    });
    const drop = () =>
      this.#keep(
        lessons.rows().filter((_, at) => at !== i),
        true,
      );
    return h(
      "tr",
      null,
      h("td", { lang: "zh-CN" }, text),
      h("td", null, box),
      h("td", null, iconButton(t("rows.drop", { text: text.slice(0, 20) }), "close", { onclick: drop })),
    );
  }

  async #clear() {
    if (await confirm(t("rows.clear"), t("rows.gone"))) this.#keep([], true);
  }

  #keep(all, anew) {
    lessons.write(all);
    if (anew) {
      const open = this.querySelector("details")?.open;
      this.draw();
      const details = this.querySelector("details");
      if (details) details.open = Boolean(open);
    }
    this.dispatchEvent(new CustomEvent("change"));
  }
}

customElements.define("qy-rows", Rows);
