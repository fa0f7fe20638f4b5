// @ts-check
// Text to text, where a model that writes is loaded. By button: writing costs more than reading.
import { h, replace } from "../dom.js";
import { t } from "../i18n.js";
import { copyButton } from "../parts/copy.js";
import { hint } from "../parts/notice.js";
import { TaskView } from "./task-view.js";

class Generate extends TaskView {
  static id = "generate";
  static task = "text2text-generation";
  static live = false;
  static defaults = { text: "" };
  static examples = [
    "改写：这家店的东西又便宜又好吃。",
    "摘要：今天上午，市气象台发布暴雨蓝色预警，预计未来十二小时部分地区有大到暴雨，请市民减少外出。",
  ];

  #woken = false;

  // The first build only shows the form; writing starts when asked.
  async run(options) {
    if (!options?.asked && !this.#woken) {
      this.#woken = true;
      replace(this.out, hint(t("generate.idle")));
      return undefined;
    }
    return super.run(options);
  }

  answer(result) {
    replace(
      this.out,
      h("p", { class: "sentence", lang: "zh-CN" }, result.generated_text),
      h(
        "div",
        null,
        copyButton(() => result.generated_text),
      ),
    );
  }
}

customElements.define("view-generate", Generate);
