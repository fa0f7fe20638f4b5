// @ts-check
// Asks before what cannot be taken back.
import { button, h } from "../dom.js";
import { t } from "../i18n.js";

/** Resolves to whether the person said yes. @param {string} act @param {string} words */
export function confirm(act, words) {
  return new Promise((resolve) => {
    let said = false;
    const dialog = h("dialog", {
      "aria-label": act,
      class: "asking",
      onclose: () => {
        dialog.remove();
        resolve(said);
      },
    });
    const yes = () => {
      said = true;
      dialog.close();
    };
    dialog.append(
      h(
        "div",
        { class: "dialog-body" },
        h("h2", null, act),
        h("p", null, words),
        h(
          "div",
          { class: "row" },
          h("span", { class: "push" }),
          button(t("cancel"), { onclick: () => dialog.close() }),
          button(t("confirm"), { kind: "primary", onclick: yes }),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
