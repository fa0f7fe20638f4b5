// Text classification with a head the model was trained for.
import { field, h, replace, select } from "../dom.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import { get } from "../store.js";
import { TaskView } from "./task-view.js";

class Classify extends TaskView {
  static id = "classify";
  static task = "text-classification";
  static defaults = { text: "", head: "" };
  static examples = ["房间很干净，前台也热情，下次还住这里。", "送来的时候已经凉了，味道也一般，不会再点。", "屏幕清晰，电池耐用，这个价位很值。", "等了一个小时才上菜，服务员态度还很差。"];

  body() {
    const { text, head } = this.state;
    if (!text.trim()) return null;
    return head ? { text, head } : { text };
  }

  modelFields() {
    const heads = get("models").flatMap((m) => m.heads?.[this.task] ?? []);
    const choice = heads.length > 1 && field(t("classify.head"), select(heads.map((n) => [n, n]), this.state.head, (head) => this.set({ head }, { now: true })));
    return [super.modelFields(), choice];
  }

  answer(result) {
    if (!this.bars?.isConnected) {
      this.bars = h("qy-bars");
      this.bars.label = t("answer");
      replace(this.out, this.bars);
    }
    this.bars.items = result.labels.map((label, i) => ({ label, score: result.scores[i] }));
  }
}

customElements.define("view-classify", Classify);
