// @ts-check
// The hypothesis of zero-shot classification: a few that work, or one's own.
import { field, h, select } from "../dom.js";
import { t } from "../i18n.js";

export const TEMPLATES = [
  "这段话说的是{}。",
  "这是一条关于{}的消息。",
  "这句话的情绪是{}。",
  "说话人的意图是{}。",
];

/** Two controls in one field; `onchange` hears the template. */
export function templateField(value, onchange) {
  const own = h("input", {
    class: "input",
    value,
    "aria-label": t("template.own"),
    oninput: () => onchange(own.value),
  });
  own.hidden = TEMPLATES.includes(value);
  const choose = (chosen) => {
    own.hidden = chosen !== "";
    if (chosen === "") own.focus();
    else onchange(chosen);
  };
  const options = [...TEMPLATES.map((x) => [x, x.replace("{}", " … ")]), ["", t("template.own")]];
  return h(
    "div",
    { class: "field" },
    field(t("template"), select(options, own.hidden ? value : "", choose)),
    own,
  );
}
