// @ts-check
// Zero-shot classification: labels of one's own, no training.
import { h, replace, segmented } from "../dom.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import "../parts/chips.js";
import { correction } from "../parts/correction.js";
import { TEMPLATES, templateField } from "../parts/template.js";
import { TaskView } from "./task-view.js";

const TOPICS = ["体育", "财经", "科技", "娱乐", "教育"];
const WAYS = ["one", "several", "quick"]; // the one label that fits, each by itself, one look at all

class ZeroShot extends TaskView {
  static id = "zero-shot";
  static task = "zero-shot-classification";
  static defaults = {
    text: "国足在世预赛主场二比一逆转取胜，球迷彻夜欢庆。",
    labels: TOPICS,
    template: TEMPLATES[0],
    way: WAYS[0],
  };
  static examples = [
    { text: "国足在世预赛主场二比一逆转取胜，球迷彻夜欢庆。" },
    { text: "央行宣布下调存款准备金率零点五个百分点。" },
    {
      text: "快递三天了还没有到，客服电话也打不通！",
      labels: ["物流", "质量", "价格", "售后"],
      template: TEMPLATES[1],
    },
    {
      text: "帮我订一张明天上午去上海的高铁票。",
      labels: ["订票", "查天气", "放音乐", "闲聊"],
      template: TEMPLATES[3],
    },
    {
      text: "等了这么久，终于收到录取通知书了！",
      labels: ["高兴", "难过", "愤怒", "平静"],
      template: TEMPLATES[2],
    },
  ];

  body() {
    const { text, labels, template, way } = this.state;
    if (!text.trim() || labels.length === 0) return null;
    const method = way === "quick" && labels.length > 1 ? "cloze" : "entailment";
    return {
      text,
      candidate_labels: labels,
      hypothesis_template: template,
      multi_label: way === "several",
      method,
    };
  }

  fields() {
    const { labels, template, way } = this.state;
    const chips = h("qy-chips", { onchange: (e) => this.set({ labels: e.detail }, { now: true }) });
    Object.assign(chips, { label: t("zero-shot.labels"), placeholder: t("zero-shot.add"), value: labels });
    return [
      h(
        "div",
        { class: "field" },
        h("span", null, t("zero-shot.labels")),
        chips,
        h("small", null, t("zero-shot.labels.note")),
      ),
      templateField(template, (value) => this.set({ template: value })),
      segmented(
        t("zero-shot.way"),
        WAYS.map((id) => [id, t(`zero-shot.way.${id}`)]),
        way,
        (value) => this.set({ way: value }, { now: true }),
      ),
    ];
  }

  answer(result) {
    if (!this.bars?.isConnected) {
      this.bars = h("qy-bars");
      this.bars.label = t("answer");
      this.fix = h("div");
      replace(this.out, this.bars, this.fix);
    }
    replace(this.fix, correction(result.text, result.labels));
    this.bars.items = result.labels.map((label, i) => ({ label, score: result.scores[i] }));
  }
}

customElements.define("view-zero-shot", ZeroShot);
