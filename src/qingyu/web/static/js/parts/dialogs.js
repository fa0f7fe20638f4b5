// @ts-check
// The two dialogs of the frame: recent inputs, and the API key.
import { button, h, iconButton, replace, toggle } from "../dom.js";
import { when } from "../format.js";
import * as history from "../history.js";
import { t } from "../i18n.js";
import { go } from "../router.js";
import { get, set } from "../store.js";
import { keyForm } from "./notice.js";

/** A dialog with a title; `body(dialog)` is what stands in it. */
export function open(title, body, kind = "") {
  const dialog = h("dialog", { class: kind, "aria-label": title, onclose: () => dialog.remove() });
  dialog.append(
    h(
      "div",
      { class: "dialog-head" },
      h("h2", null, title),
      iconButton(t("close"), "close", { class: "push", onclick: () => dialog.close() }),
    ),
    h("div", { class: "dialog-body" }, body(dialog)),
  );
  // A click on the backdrop lands on the dialog itself.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

export function openHistory() {
  open(t("history.title"), (dialog) => {
    const list = h("ul", { class: "past" });
    const clear = button(t("history.clear"), { kind: "danger", onclick: () => (history.clear(), draw()) });
    const draw = () => {
      const entries = history.entries();
      clear.hidden = entries.length === 0;
      const one = (entry, i) => {
        const back = () => {
          dialog.close();
          go(entry.view, entry.state);
        };
        return h(
          "li",
          null,
          h(
            "button",
            { type: "button", class: "past-entry", onclick: back },
            h("span", null, entry.title),
            h("small", { class: "muted" }, `${t(`${entry.view}.nav`)} · ${when(entry.at)}`),
          ),
          iconButton(t("history.drop"), "close", { onclick: () => (history.remove(i), draw()) }),
        );
      };
      replace(list, entries.length ? entries.map(one) : h("li", { class: "muted" }, t("history.empty")));
    };
    draw();
    const remember = toggle(t("history.remember"), get("remember"), (on) => set("remember", on));
    return [
      h("p", { class: "muted small" }, t("history.note")),
      list,
      h("div", { class: "row" }, remember, h("span", { class: "push" }), clear),
    ];
  });
}

export function openKey() {
  open(t("key.title"), (dialog) => keyForm(() => dialog.close()));
}
