// @ts-check
// Similarity: two texts, or one against many, ranked.
import { field, h, replace, segmented } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import { TaskView } from "./task-view.js";

class Similarity extends TaskView {
  static id = "similarity";
  static task = "sentence-similarity";
  static defaults = { text: "怎么修改登录密码？", other: "忘记密码了，在哪里重新设置", many: false };
  static examples = [
    { text: "怎么修改登录密码？", other: "忘记密码了，在哪里重新设置" },
    { text: "今天会下雨吗", other: "明天的会议几点开始" },
    {
      text: "退款多久能到账",
      many: true,
      other: "申请退款后几天到账？\n如何取消订单\n钱什么时候退给我\n发票怎么开\n运费由谁承担",
    },
  ];

  body() {
    const { text, other, many } = this.state;
    if (!text.trim() || !other.trim()) return null;
    return many ? { query: text, texts: this.#lines() } : { text, text_pair: other };
  }

  #lines() {
    return this.state.other
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  }

  fields() {
    const box = h("textarea", {
      class: "input",
      value: this.state.other,
      oninput: () => this.set({ other: box.value }),
    });
    const place = h("div");
    const lay = () => {
      const kind = `similarity.${this.state.many ? "many" : "pair"}`;
      box.rows = this.state.many ? 6 : 3;
      box.placeholder = t(`${kind}.placeholder`);
      replace(place, field(t(kind), box));
    };
    const swap = (many) => {
      this.set({ many }, { now: true });
      lay();
    };
    lay();
    return [
      segmented(
        t("similarity.mode"),
        [
          [false, t("similarity.mode.pair")],
          [true, t("similarity.mode.many")],
        ],
        this.state.many,
        swap,
      ),
      place,
    ];
  }

  answer(result) {
    if (result.ranking) this.#ranked(result.ranking);
    else this.#pair(result);
  }

  #pair(result) {
    if (!this.figure?.isConnected) {
      this.figure = h("p", { class: "figure num" });
      this.word = h("p", { class: "muted" });
      this.meter = h("div", { class: "gauge" }, h("span"));
      replace(this.out, h("div", { class: "verdict" }, this.figure, this.word), this.meter);
    }
    replace(this.figure, percent(result.score));
    replace(this.word, t(`similarity.${result.score >= 0.5 ? "same" : "other"}`));
    this.meter.style.setProperty("--share", String(result.score));
  }

  #ranked(ranking) {
    if (!this.bars?.isConnected) {
      this.bars = h("qy-bars", { class: "prose" });
      this.bars.label = t("answer");
      replace(this.out, this.bars);
    }
    this.bars.items = ranking.map(({ text, score }) => ({ label: text, score }));
  }
}

customElements.define("view-similarity", Similarity);
