// Fill-mask: the blanks of a sentence, each with its best candidates.
import { button, h, replace, segmented } from "../dom.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import { hint } from "../parts/notice.js";
import { findMasks, MASK, pieces, splice, surface } from "../text.js";
import { percent } from "../format.js";
import { TaskView } from "./task-view.js";

class FillMask extends TaskView {
  static id = "fill-mask";
  static task = "fill-mask";
  static defaults = { text: "今天天气真[MASK]啊，适合出去玩。", top_k: 5 };
  static examples = [
    "今天天气真[MASK]啊，适合出去玩。",
    "中国的首都是[MASK]京。",
    "他把钥匙[MASK]在家里了，只好等妻子回来。",
    "床前明月[MASK]，疑是地上霜。",
    "这家餐厅的服务很[MASK]，下次还会再来。",
    "她[MASK]天早上七点起床，[MASK]步去学校。",
  ];

  body() {
    if (findMasks(this.state.text).length === 0) return null;
    return { text: this.state.text, top_k: this.state.top_k };
  }

  marks(text) {
    return findMasks(text);
  }

  actions() {
    this.undo = button(t("undo"), { icon: "undo", kind: "quiet", onclick: () => this.editor.undo() });
    return [
      button(t("fill-mask.insert"), {
        icon: "fill-mask",
        kind: "quiet",
        onclick: () => this.editor.insert(MASK),
      }),
      this.undo,
    ];
  }

  fields() {
    const choice = segmented(
      t("fill-mask.top_k"),
      [
        [5, "5"],
        [10, "10"],
        [20, "20"],
      ],
      this.state.top_k,
      (top_k) => this.set({ top_k }, { now: true }),
    );
    return h("div", { class: "row" }, h("span", { class: "legend" }, t("fill-mask.top_k")), choice);
  }

  async run(options) {
    this.undo.hidden = !this.editor.canUndo;
    return super.run(options);
  }

  idle() {
    this.shown = 0;
    if (this.editor.canUndo && this.state.text.trim()) {
      return [
        h("p", { class: "sentence", lang: "zh-CN" }, this.state.text),
        h("p", { class: "muted small" }, t("fill-mask.done")),
      ];
    }
    return hint(t("fill-mask.idle"));
  }

  answer(result) {
    if (this.shown !== result.masks.length || !this.whole?.isConnected) this.#frame(result);
    replace(this.whole, this.#filled(result));
    result.masks.forEach((mask, i) => {
      const bars = this.bars[i];
      bars.put = (token) => this.editor.put(splice(result.text, mask.start, mask.end, surface(token)));
      bars.items = mask.candidates.map((c) => ({
        label: surface(c.token),
        score: c.score,
        token: c.token,
      }));
    });
  }

  /** The boxes of an answer with this many masks; figures are put in afterwards. */
  #frame({ masks }) {
    this.shown = masks.length;
    this.whole = h("p", { class: "sentence", lang: "zh-CN" });
    this.bars = masks.map((_, i) => {
      const bars = h("qy-bars", { onchoose: (e) => bars.put(e.detail.token) });
      bars.act = (item) => t("fill-mask.put", { token: item.label, score: percent(item.score) });
      bars.label = t("fill-mask.nth", { n: i + 1 });
      return bars;
    });
    const boxes = this.bars.map((bars, i) =>
      h(
        "div",
        { class: "mask-box" },
        masks.length > 1 && h("h2", { class: "minor" }, t("fill-mask.nth", { n: i + 1 })),
        bars,
      ),
    );
    replace(
      this.out,
      this.whole,
      h("div", { class: "mask-boxes" }, boxes),
      h("p", { class: "muted small" }, t("fill-mask.click")),
    );
  }

  #filled({ text, masks }) {
    const best = masks.map((m) => ({
      start: m.start,
      end: m.end,
      token: surface(m.candidates[0]?.token ?? MASK),
    }));
    return pieces(text, best).map(([piece, span]) =>
      span ? h("em", { class: "put" }, span.token) : piece,
    );
  }
}

customElements.define("view-fill-mask", FillMask);
