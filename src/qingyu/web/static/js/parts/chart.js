// @ts-check
// <qy-chart>: one figure over time: its name, its value now, a line with an area below it.
import { h, replace, s } from "../dom.js";
import { t } from "../i18n.js";

const [W, H] = [240, 56]; // units of the drawing; the styles say how large it is shown

class Chart extends HTMLElement {
  #value = h("p", { class: "chart-value num" });
  #aside = h("p", { class: "chart-aside small muted num" });
  /** @type {string} */ name;
  #area = s("path", { class: "chart-area" });
  #line = s("path", { class: "chart-line" });
  #top = h("span", { class: "num" });
  #since = h("span", { class: "num" });

  connectedCallback() {
    this.drawing = s(
      "svg",
      { viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: "none", role: "img" },
      this.#area,
      this.#line,
    );
    replace(
      this,
      h("h2", null, this.name),
      h("div", { class: "row" }, this.#value, this.#aside),
      h("div", { class: "chart-plot" }, this.#top, this.drawing),
      h("div", { class: "chart-axis", "aria-hidden": "true" }, this.#since, h("span", null, t("live.now"))),
    );
  }

  /** `values`: numbers or null, oldest first, of at most `room`; `form`: number -> text. */
  show(values, { room, period, form, ceiling = 0, aside = "" }) {
    const last = values.findLast((v) => v !== null);
    // Two readings make a value; where they make none, there was nothing to measure.
    const text =
      last === undefined || values.at(-1) === null
        ? t(values.length ? "live.idle" : "live.wait")
        : form(last);
    const top = Math.max(ceiling, ...values.map((v) => v ?? 0)) || 1;
    const x = (i) => (((i + room - values.length) / (room - 1)) * W).toFixed(1);
    const y = (v) => (H - 1 - (v / top) * (H - 4)).toFixed(1);
    const points = values.flatMap((v, i) => (v === null ? [] : [[x(i), y(v)]]));
    const path = points.map(([px, py], i) => `${i ? "L" : "M"}${px} ${py}`).join("");
    this.#line.setAttribute("d", path);
    this.#area.setAttribute(
      "d",
      points.length > 1 ? `${path}L${points.at(-1)[0]} ${H}L${points[0][0]} ${H}Z` : "",
    );
    this.drawing.setAttribute("aria-label", t("live.chart", { title: this.name, value: text }));
    replace(this.#value, text);
    replace(this.#aside, aside);
    replace(this.#top, last === undefined ? "" : form(top));
    replace(this.#since, t("live.ago", { n: Math.round(((room - 1) * period) / 1000) }));
  }
}

customElements.define("qy-chart", Chart);
