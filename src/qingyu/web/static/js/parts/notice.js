// @ts-check
// Notices: a hint, a kind error, and the box for a key where the service wants one.
import { button, field, h, icon } from "../dom.js";
import { t } from "../i18n.js";
import { get, setKey } from "../store.js";

export const hint = (text, ...rest) =>
  h("div", { class: "notice" }, icon("info"), h("div", null, h("p", null, text), rest));

/** An error as something one can act on; `retry` runs the request again. */
export function trouble(error, retry) {
  const id = error.requestId && h("p", { class: "muted small" }, `${t("request-id")} ${error.requestId}`);
  const wait = error.status === 429 && h("p", { class: "small" }, t("error.again"));
  const act =
    error.status === 401 || error.status === 403 ? keyForm(retry) : button(t("retry"), { onclick: retry });
  return h(
    "div",
    { class: error.status === 429 ? "notice warn" : "notice bad", role: "alert" },
    icon("alert"),
    h("div", null, h("p", null, error.text), wait, id, act),
  );
}

/** A file that cannot be read. @param {import("../files/decode.js").FileError} error */
export const unreadable = (error) =>
  h("div", { class: "notice bad", role: "alert" }, t(error.text.name, error.text.values));

/** The box for an API key; `done` is called once a key is set. */
export function keyForm(done) {
  const input = h("input", { class: "input", type: "password", autocomplete: "off", value: get("key") });
  const lasting = h("input", { type: "checkbox", role: "switch" });
  const submit = (event) => {
    event.preventDefault();
    setKey(input.value.trim(), lasting.checked);
    done?.();
  };
  return h(
    "form",
    { class: "key-form", onsubmit: submit },
    field(t("key.title"), input, t("key.note")),
    h(
      "div",
      { class: "row" },
      h("label", { class: "switch" }, lasting, t("key.lasting")),
      h("button", { class: "btn primary push" }, t("key.use")),
    ),
  );
}
