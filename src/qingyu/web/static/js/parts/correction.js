// @ts-check
// 不对？改成 …: a wrong answer put right becomes a row to teach with.
import { button, h, replace } from "../dom.js";
import { t } from "../i18n.js";
import * as lessons from "../lessons.js";

/** A fold with a button a label and a box for another. @param {string} text @param {string[]} labels */
export function correction(text, labels) {
  const said = h("p", { class: "small", role: "status" });
  const put = (label) => {
    if (!label.trim()) return;
    lessons.add([[text, label]]);
    replace(
      said,
      t("correction.kept", { label: label.trim(), n: lessons.rows().length }),
      " ",
      h("a", { href: "#/teach" }, t("correction.teach")),
    );
  };
  const own = h("input", {
    class: "input",
    "aria-label": t("correction.own"),
    placeholder: t("correction.own"),
  });
  const form = h(
    "form",
    {
      class: "row correction",
      onsubmit: (event) => {
        event.preventDefault();
        put(own.value);
      },
    },
    labels.map((label) => button(label, { lang: "zh-CN", onclick: () => put(label) })),
    own,
    h("button", { class: "btn" }, t("correction.put")),
  );
  return h("details", { class: "fold" }, h("summary", null, t("correction.title")), form, said);
}
