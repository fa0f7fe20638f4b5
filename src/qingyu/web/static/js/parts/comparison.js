// @ts-check
// Answers beside right answers: the share that agrees with its bounds, and what was taken for what.
import { h } from "../dom.js";
import { compared } from "../files/summary.js";
import { count, percent } from "../format.js";
import { t } from "../i18n.js";

const MOST = 12; // labels up to which the table of confusions is drawn

/** @param {[string, string][]} pairs `[right, told]`; rows without a right answer are left out */
export function comparison(pairs) {
  const known = pairs.filter(([right]) => right !== "");
  if (known.length === 0) return h("p", { class: "small muted" }, t("comparison.none"));
  const { n, agree, share, low, high, labels, matrix } = compared(known);
  return [
    h(
      "div",
      { class: "verdict" },
      h("p", { class: "figure num" }, percent(share)),
      h(
        "p",
        { class: "muted" },
        t("comparison.right", {
          agree: count(agree),
          n: count(n),
          low: Math.round(low * 100),
          high: Math.round(high * 100),
        }),
      ),
    ),
    labels.length <= MOST && [
      h("p", { class: "small muted" }, t("comparison.table")),
      confusions(labels, matrix),
    ],
  ];
}

function confusions(labels, matrix) {
  const most = Math.max(1, ...matrix.flat());
  const cell = (n, i, j) =>
    h(
      "td",
      { class: i === j ? "num heat-cell right" : "num heat-cell", vars: { "--heat": (n / most).toFixed(3) } },
      n ? count(n) : "",
    );
  return h(
    "div",
    { class: "table-scroll", tabindex: 0, role: "region", "aria-label": t("comparison.table") },
    h(
      "table",
      { class: "table grid", lang: "zh-CN" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("th", { scope: "col" }),
          labels.map((one) => h("th", { scope: "col" }, one)),
        ),
      ),
      h(
        "tbody",
        null,
        matrix.map((row, i) =>
          h(
            "tr",
            null,
            h("th", { scope: "row" }, labels[i]),
            row.map((n, j) => cell(n, i, j)),
          ),
        ),
      ),
    ),
  );
}
