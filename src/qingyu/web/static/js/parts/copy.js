// @ts-check
// Copying to the clipboard, with a word that it happened.
import { h, icon, replace } from "../dom.js";
import { t } from "../i18n.js";

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages not served over https or loopback have no clipboard; the old way still works there.
    const box = h("textarea", { value: text, class: "sr" });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

/** A button that copies what `read()` returns. */
export function copyButton(read, label = t("copy"), glyph = "copy") {
  const word = h("span", { "aria-live": "polite" }, label);
  const node = h("button", { type: "button", class: "btn quiet" }, icon(glyph), word);
  let timer;
  node.addEventListener("click", async () => {
    await copy(read());
    replace(word, t("copied"));
    node.firstChild.firstChild.setAttribute("href", "icons.svg#check");
    clearTimeout(timer);
    timer = setTimeout(() => {
      replace(word, label);
      node.firstChild.firstChild.setAttribute("href", `icons.svg#${glyph}`);
    }, 1600);
  });
  return node;
}
