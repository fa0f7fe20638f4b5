// @ts-check
// A box for a page of one's own: fills blanks, corrects a text, or searches an index.
//
//   <script src="http://127.0.0.1:8000/widget.js" data-task="check"></script>
//
// puts one where it stands; <qingyu-box task="check"></qingyu-box> puts others. Nothing is written
// that a strict Content-Security-Policy forbids: script-src and connect-src of the service are enough.
(() => {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const home = new URL(".", script.src).href;

  const WORDS = {
    zh: {
      "fill-mask": { label: "填空", button: "填一填", hint: "要填的地方写成 ___" },
      check: { label: "改错别字", button: "检查", hint: "写一段，或粘贴一段" },
      search: { label: "找答案", button: "找一找", hint: "用自己的话问" },
      none: { check: "没有发现错别字。", search: "没有找到。" },
      accept: "全部采纳",
      wait: (seconds) => `（请 ${seconds} 秒后再试）`,
      unknown: (task) => `轻语：没有 "${task}" 这种小框，可用 fill-mask、check、search。`,
      index: "轻语：search 小框要写明 data-index。",
    },
    en: {
      "fill-mask": { label: "Fill the blanks", button: "Fill", hint: "Write ___ for a blank" },
      check: { label: "Proofreading", button: "Check", hint: "Write or paste Chinese text" },
      search: { label: "Search", button: "Find", hint: "Ask in your own words" },
      none: { check: "No mistakes found.", search: "Nothing found." },
      accept: "Accept all",
      wait: (seconds) => ` (try again in ${seconds} s)`,
      unknown: (task) => `Qingyu: there is no box "${task}", but fill-mask, check and search.`,
      index: "Qingyu: a search box needs data-index.",
    },
  };

  const SHEET = `
    :host { display: block; max-width: 40rem; font: inherit; }
    form { display: grid; gap: .5rem; }
    textarea, button { font: inherit; padding: .5rem .75rem; border-radius: .5rem; }
    textarea { min-height: 4.5rem; resize: vertical; border: 1px solid light-dark(#87989c, #5f747b); }
    button { justify-self: start; border: 0; cursor: pointer; background: #0c6b75; color: #fff; }
    button:disabled { opacity: .6; cursor: default; }
    :focus-visible { outline: 2px solid #0c6b75; outline-offset: 2px; }
    output { display: block; margin-top: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
    ol, dl { margin: .5rem 0; padding-left: 1.5rem; }
    del { color: light-dark(#b03a2b, #f08c7d); }
    ins { color: light-dark(#0c6b75, #6cc4cc); }
    .error { color: light-dark(#b03a2b, #f08c7d); }`;

  const h = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  };
  const percent = (share) => `${(100 * share).toFixed(0)}%`;

  /** What is shown of each task's answer: nodes. */
  const SHOW = {
    "fill-mask": (found) => [
      h("p", null, found.sequence),
      ...found.masks.map((mask) =>
        h("ol", null, ...mask.candidates.map((one) => h("li", null, `${one.token} ${percent(one.score)}`))),
      ),
    ],
    check(found, { words, area }) {
      const changed = found.suspects.filter((one) => one.changed);
      if (!changed.length) return [h("p", null, words.none.check)];
      const characters = Array.from(found.text); // offsets count characters, not UTF-16 units
      const line = h("p", null);
      let at = 0;
      for (const { start, end, text, candidates, reason } of changed.sort((a, b) => a.start - b.start)) {
        line.append(characters.slice(at, start).join(""), h("del", null, text));
        line.append(h("ins", { title: reason }, candidates[0].token));
        at = end;
      }
      line.append(characters.slice(at).join(""));
      const accept = h("button", { type: "button" }, words.accept);
      accept.onclick = () => {
        area.value = found.corrected;
        area.focus();
        accept.disabled = true;
      };
      return [line, accept];
    },
    search(found, { words }) {
      if (!found.hits.length) return [h("p", null, words.none.search)];
      const rows = found.hits.map(({ row, text }) =>
        h(
          "li",
          null,
          h("strong", null, text),
          ...Object.values(row)
            .filter((value) => value !== text)
            .map((value) => h("div", null, String(value ?? ""))),
        ),
      );
      return [h("ol", null, ...rows)];
    },
  };

  const ASK = {
    "fill-mask": (service, text) => service.fillMask(text),
    check: (service, text) => service.check(text),
    search: (service, text, index) => service.search(index, text, { top_k: 3 }),
  };

  class QingyuBox extends HTMLElement {
    service = null;
    language = "zh";

    connectedCallback() {
      if (this.shadowRoot) return;
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(SHEET);
      root.adoptedStyleSheets = [sheet];

      const said = this.getAttribute("lang") || document.documentElement.lang || navigator.language;
      this.language = said.startsWith("zh") ? "zh" : "en";
      const words = WORDS[this.language];
      const task = this.getAttribute("task") ?? "";
      const index = this.getAttribute("index");
      if (!Object.hasOwn(ASK, task) || (task === "search" && !index)) {
        const wrong = task === "search" ? words.index : words.unknown(task);
        root.append(h("p", { className: "error", role: "alert" }, wrong));
        return;
      }

      const { label, button, hint } = words[task];
      const area = h("textarea", {
        ariaLabel: label,
        placeholder: this.getAttribute("placeholder") ?? hint,
        value: this.getAttribute("value") ?? "",
      });
      const go = h("button", { type: "submit" }, button);
      const output = h("output", null);
      const form = h("form", null, area, go);
      form.onsubmit = async (event) => {
        event.preventDefault();
        if (!area.value.trim()) return area.focus();
        go.disabled = true;
        try {
          const service = (this.service ??= await this.connect());
          const found = await ASK[task](service, area.value, index);
          output.replaceChildren(...SHOW[task](found, { words, area }));
        } catch (error) {
          const after = error.retryAfter ? words.wait(error.retryAfter) : "";
          output.replaceChildren(h("p", { className: "error", role: "alert" }, error.message + after));
        } finally {
          go.disabled = false;
        }
      };
      root.append(form, output);
    }

    /** The client, loaded when it is first needed. */
    async connect() {
      const { Qingyu } = await import(`${home}client.js`);
      const { language } = this;
      const named = (name) => this.getAttribute(name) ?? undefined;
      return new Qingyu(home, { language, key: named("key"), model: named("model") });
    }
  }

  if (!customElements.get("qingyu-box")) customElements.define("qingyu-box", QingyuBox);
  if (script.dataset.task !== undefined) {
    const box = document.createElement("qingyu-box");
    for (const [name, value] of Object.entries(script.dataset)) box.setAttribute(name, value ?? "");
    script.after(box);
  }
})();
