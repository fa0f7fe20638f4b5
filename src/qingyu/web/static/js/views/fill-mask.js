// @ts-check
// Fill-mask: the blanks of a sentence, each with its best candidates, and all of them as one.
import { button, h, replace, segmented } from "../dom.js";
import { percent } from "../format.js";
import { t } from "../i18n.js";
import "../parts/bars.js";
import "../parts/chips.js";
import "../parts/memories.js";
import { hint } from "../parts/notice.js";
import { findBlanks, MASK, pieces, spellings, splice, surface } from "../text.js";
import { TaskView } from "./task-view.js";

const TOGETHER = 8; // blanks at most that are also filled as one
const ALTERNATIVES = 5;
const COUNTS = [5, 10, 20];

class FillMask extends TaskView {
  static id = "fill-mask";
  static task = "fill-mask";
  static defaults = { text: "今天天气真[MASK]啊，适合出去玩。", top_k: 5, lexicon: [], phrases: [] };
  static examples = [
    "今天天气真[MASK]啊，适合出去玩。",
    "他把钥匙[MASK]在家里了，只好等妻子回来。",
    "床前明月[MASK]，疑是地上霜。",
    "[MASK][MASK]大学位于北京。",
    "她[MASK]天早上七点起床，走[MASK]去学校。",
    {
      text: "真是个[MASK][MASK][MASK][MASK]的办法。",
      lexicon: ["两全其美", "画蛇添足", "雪中送炭", "一举两得"],
    },
  ];

  body() {
    const { text, top_k, lexicon, phrases } = this.state;
    const blanks = findBlanks(text).length;
    if (blanks === 0) return null;
    const body = { text, top_k };
    const mask = spellings(text);
    if (mask.length) body.mask = mask;
    if (lexicon.length) body.lexicon = lexicon;
    if (phrases.length) body.phrases = phrases;
    // Each whole filling is a visit to the model for every blank.
    if (blanks > 1 && blanks <= TOGETHER) body.alternatives = ALTERNATIVES;
    return body;
  }

  marks(text) {
    return findBlanks(text);
  }

  actions() {
    this.undo = button(t("undo"), { icon: "undo", kind: "quiet", onclick: () => this.editor.undo() });
    const insert = () => this.editor.insert(MASK);
    return [button(t("fill-mask.insert"), { icon: "fill-mask", kind: "quiet", onclick: insert }), this.undo];
  }

  fields() {
    const { top_k, lexicon, phrases } = this.state;
    const title = t("fill-mask.top_k");
    const counts = COUNTS.map((n) => [n, String(n)]);
    const choice = segmented(title, counts, top_k, (n) => this.set({ top_k: n }, { now: true }));
    const words = h("qy-chips", { onchange: (e) => this.set({ lexicon: e.detail }, { now: true }) });
    Object.assign(words, {
      label: t("fill-mask.lexicon"),
      placeholder: t("fill-mask.lexicon.add"),
      value: lexicon,
    });
    const memories = h("qy-memories", {
      onuse: (e) => this.set({ phrases: e.detail }, { now: true }),
    });
    memories.value = phrases;
    return [
      h("div", { class: "row" }, h("span", { class: "legend" }, title), choice),
      h(
        "details",
        { class: "fold", open: lexicon.length > 0 },
        h("summary", null, t("fill-mask.lexicon")),
        h("div", { class: "field" }, words, h("small", null, t("fill-mask.lexicon.note"))),
      ),
      h(
        "details",
        { class: "fold", ontoggle: (e) => e.currentTarget.open && memories.load() },
        h("summary", null, t("memories")),
        memories,
      ),
    ];
  }

  async run(options) {
    this.undo.hidden = !this.editor.canUndo;
    return super.run(options);
  }

  idle() {
    if (this.editor.canUndo && this.state.text.trim()) {
      return [
        h("p", { class: "sentence", lang: "zh-CN" }, this.state.text),
        h("p", { class: "muted small" }, t("fill-mask.done")),
      ];
    }
    return hint(t("fill-mask.idle"));
  }

  answer(result) {
    const { text, masks, alternatives = [] } = result;
    if (this.bars?.length !== masks.length || !this.whole?.isConnected) this.#frame(masks.length);
    replace(this.whole, filled(result));
    masks.forEach((mask, i) => {
      this.bars[i].put = (token) => this.editor.put(splice(text, mask.start, mask.end, token));
      this.bars[i].items = mask.candidates.map((c) => ({
        label: surface(c.token),
        score: c.score,
        mark: c.remembered ? t("memories.remembered") : "",
      }));
      this.boxes[i].hidden = mask.candidates.length === 0;
    });
    this.together.hidden = alternatives.length === 0;
    this.sentences.items = alternatives.map((a) => ({ label: a.sequence, score: a.score }));
  }

  /** The boxes of an answer with so many masks; figures are put in afterwards. */
  #frame(count) {
    this.whole = h("p", { class: "sentence", lang: "zh-CN" });
    this.bars = Array.from({ length: count }, (_, i) => {
      const bars = h("qy-bars", { onchoose: (e) => bars.put(e.detail.label) });
      bars.act = (item) => t("fill-mask.put", { token: item.label, score: percent(item.score) });
      bars.label = t("fill-mask.nth", { n: i + 1 });
      return bars;
    });
    const name = (i) => count > 1 && h("h2", { class: "minor" }, t("fill-mask.nth", { n: i + 1 }));
    this.boxes = this.bars.map((bars, i) => h("div", { class: "mask-box" }, name(i), bars));
    this.sentences = h("qy-bars", { class: "prose", onchoose: (e) => this.editor.put(e.detail.label) });
    this.sentences.act = (item) => t("fill-mask.use", { text: item.label, score: percent(item.score) });
    this.sentences.label = t("fill-mask.together");
    this.together = h(
      "div",
      { class: "mask-box" },
      h("h2", { class: "minor" }, t("fill-mask.together")),
      this.sentences,
    );
    replace(
      this.out,
      this.whole,
      h("div", { class: "mask-boxes" }, this.boxes),
      this.together,
      h("p", { class: "muted small" }, t("fill-mask.click")),
    );
  }
}

/** The sentence with its blanks filled, what was put in marked. */
function filled({ text, masks, alternatives = [] }) {
  const words = alternatives[0]?.tokens ?? masks.map((m) => m.candidates[0]?.token ?? MASK);
  const spans = masks.map(({ start, end }, i) => ({ start, end, word: surface(words[i]) }));
  return pieces(text, spans).map(([piece, span]) => (span ? h("em", { class: "put" }, span.word) : piece));
}

customElements.define("view-fill-mask", FillMask);
