// @ts-check
// Text classification with a head the model was trained for, or one that was taught.
import { h, replace } from "../dom.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import { correction } from "../parts/correction.js";
import { headField } from "../parts/heads.js";
import { TaskView } from "./task-view.js";

class Classify extends TaskView {
  static id = "classify";
  static task = "text-classification";
  static defaults = { text: "房间很干净，前台也热情，下次还住这里。", head: "" };
  static examples = [
    "房间很干净，前台也热情，下次还住这里。",
    "送来的时候已经凉了，味道也一般，不会再点。",
    "屏幕清晰，电池耐用，这个价位很值。",
    "等了一个小时才上菜，服务员态度还很差。",
  ];

  fields() {
    return [headField(this.state.head, (head) => this.set({ head }, { now: true }))];
  }

  body() {
    const body = super.body();
    return body && this.state.head ? { ...body, head: this.state.head } : body;
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

customElements.define("view-classify", Classify);
