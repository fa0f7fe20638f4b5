// @ts-check
// Elements without a framework. Text always becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.setAttribute("class", value);
    else if (name === "vars") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else if (name in node && !name.startsWith("aria") && !(node instanceof SVGElement)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** An HTML element: `h("p", {class: "muted", onclick: f}, "text", child)`. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** An SVG element of the same form. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** An icon of icons.svg; decoration only, the control around it carries the name. */
export const icon = (name) =>
  s("svg", { class: "icon", "aria-hidden": "true" }, s("use", { href: `icons.svg#${name}` }));

/** @param {any} label @param {{icon?: string, kind?: string, [prop: string]: any}} [props] */
export function button(label, { icon: glyph, kind = "", ...props } = {}) {
  return h("button", { type: "button", class: `btn ${kind}`, ...props }, glyph && icon(glyph), label);
}

export function iconButton(label, glyph, props = {}) {
  return h(
    "button",
    { type: "button", ...props, class: `icon-btn ${props.class ?? ""}`, title: label, "aria-label": label },
    icon(glyph),
  );
}

/** A labelled control; `note` is read with it. */
export function field(label, control, note) {
  return h("label", { class: "field" }, h("span", null, label), control, note && h("small", null, note));
}

export function select(options, value, onchange, props = {}) {
  const list = options.map(([id, text]) => h("option", { value: id, selected: id === value }, text));
  const control = h("select", { class: "select", onchange: () => onchange(control.value), ...props }, list);
  return h("span", { class: "select-wrap" }, control);
}

let groups = 0;
/** One choice of a few, as radio buttons in one bar. */
export function segmented(label, options, value, onchange) {
  const name = `group-${++groups}`;
  return h(
    "fieldset",
    { class: "segmented" },
    h("legend", { class: "sr" }, label),
    options.map(([id, text]) =>
      h(
        "label",
        null,
        h("input", {
          type: "radio",
          name,
          value: String(id),
          checked: id === value,
          onchange: () => onchange(id),
        }),
        h("span", null, text),
      ),
    ),
  );
}

export function toggle(label, checked, onchange) {
  const box = h("input", {
    type: "checkbox",
    role: "switch",
    checked,
    onchange: () => onchange(box.checked),
  });
  return h("label", { class: "switch" }, box, h("span", null, label));
}

export function replace(node, ...children) {
  node.replaceChildren(
    ...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false),
  );
  return node;
}
