// Draws /openapi.json: every operation with its fields, and a way to try it. No library, no network
// beyond the service itself.

const METHODS = ["get", "post", "put", "delete"];
const EXAMPLES = {
  text: "今天天气真[MASK]啊，适合出去玩。",
  inputs: "今天天气真[MASK]啊，适合出去玩。",
};

const main = document.getElementById("operations");
const base = new URL("..", document.baseURI);

function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A schema with its `$ref` followed. */
function resolve(document_, schema) {
  let found = schema ?? {};
  while (found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((node, part) => node[part], document_);
  }
  return found;
}

function kindOf(document_, schema) {
  const s = resolve(document_, schema);
  if (s.enum) return s.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (s.const !== undefined) return JSON.stringify(s.const);
  const many = s.anyOf ?? s.oneOf;
  if (many) return many.map((one) => kindOf(document_, one)).join(" | ");
  if (s.type === "array") {
    const items = s.items ?? s.prefixItems?.[0] ?? {};
    return `[${kindOf(document_, items)}]`;
  }
  return s.title && s.type === "object" ? s.title : (s.type ?? "any");
}

function limits(s) {
  const told = [];
  if (s.default !== undefined && s.default !== null) told.push(`= ${JSON.stringify(s.default)}`);
  if (s.minimum !== undefined) told.push(`≥ ${s.minimum}`);
  if (s.maximum !== undefined) told.push(`≤ ${s.maximum}`);
  return told.join("  ");
}

/** Rows of a table, nested objects below the field that holds them. */
function rows(document_, schema, prefix = "", depth = 0) {
  const s = resolve(document_, schema);
  if (depth > 4) return [];
  if (s.type === "array") return rows(document_, s.items, `${prefix}[]`, depth + 1);
  return Object.entries(s.properties ?? {}).flatMap(([name, value]) => {
    const one = resolve(document_, value);
    const path = prefix ? `${prefix}.${name}` : name;
    const needed = (s.required ?? []).includes(name);
    const cells = [
      h("td", null, h("code", { textContent: path + (needed ? " *" : "") })),
      h("td", null, h("code", { textContent: kindOf(document_, value) })),
      h("td", { textContent: [value.description ?? one.description, limits(value)].filter(Boolean).join("  ") }),
    ];
    return [h("tr", null, cells), ...rows(document_, value, path, depth + 1)];
  });
}

function table(document_, title, schema) {
  const body = rows(document_, schema);
  if (!body.length) return null;
  return h(
    "div",
    { className: "table" },
    h("h3", { textContent: title }),
    h(
      "table",
      null,
      h("thead", null, h("tr", null, ["字段 / field", "类型 / type", "说明 / meaning"].map((t) => h("th", { textContent: t })))),
      h("tbody", null, body),
    ),
  );
}

function example(document_, schema) {
  const s = resolve(document_, schema);
  const value = {};
  for (const [name, field] of Object.entries(s.properties ?? {})) {
    if (field.examples?.length) value[name] = field.examples[0];
    else if ((s.required ?? []).includes(name)) value[name] = EXAMPLES[name] ?? null;
  }
  return JSON.stringify(value, null, 2);
}

function trial(path, method, body) {
  const output = h("pre", { hidden: true, tabIndex: 0 });
  const fields = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => h("input", { placeholder: name, ariaLabel: name }));
  const send = h("button", { type: "button", textContent: "试一试 / Try" });
  send.addEventListener("click", async () => {
    send.disabled = true;
    const key = document.getElementById("key").value;
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    if (body) headers["content-type"] = "application/json";
    let index = 0;
    const address = path.slice(1).replace(/\{\w+\}/g, () => encodeURIComponent(fields[index++].value));
    output.hidden = false;
    try {
      const response = await fetch(new URL(address, base), { method, headers, body: body?.value });
      const text = await response.text();
      output.textContent = `${response.status} ${response.statusText}\n\n${pretty(text)}`;
    } catch (error) {
      output.textContent = `连接失败 / no connection: ${error.message}`;
    }
    send.disabled = false;
  });
  return [fields.length ? h("p", null, fields) : null, body ?? null, send, output];
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function operation(document_, path, method, spec) {
  const request = spec.requestBody?.content?.["application/json"]?.schema;
  const good = spec.responses?.["200"]?.content?.["application/json"]?.schema;
  const body = request
    ? h("textarea", { value: example(document_, request), spellcheck: false, ariaLabel: `${path} JSON` })
    : undefined;
  const codes = Object.entries(spec.responses ?? {})
    .filter(([code]) => code !== "200" && code !== "default")
    .map(([code, response]) => h("tr", null, h("td", null, h("code", { textContent: code })), h("td", { textContent: response.description })));
  return h(
    "details",
    { className: "operation", id: spec.operationId ?? `${method}-${path}` },
    h(
      "summary",
      null,
      h("span", { className: "method", textContent: method.toUpperCase() }),
      h("span", { className: "path", textContent: path }),
      h("span", { className: "title", textContent: spec.summary ?? "" }),
    ),
    h(
      "div",
      null,
      spec.description ? h("p", { textContent: spec.description }) : null,
      request ? table(document_, "请求 / request", request) : null,
      trial(path, method.toUpperCase(), body),
      good ? table(document_, "回答 / answer", good) : null,
      codes.length ? h("div", { className: "table" }, h("h3", { textContent: "错误 / errors" }), h("table", null, h("tbody", null, codes))) : null,
    ),
  );
}

function draw(document_) {
  document.getElementById("about").textContent = document_.info.description ?? "";
  const groups = new Map();
  for (const [path, item] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? "other";
      groups.set(tag, [...(groups.get(tag) ?? []), operation(document_, path, method, item[method])]);
    }
  }
  const names = new Map((document_.tags ?? []).map((tag) => [tag.name, tag.description]));
  main.replaceChildren(
    ...[...groups].flatMap(([tag, operations]) => [h("h2", { textContent: names.get(tag) ?? tag }), ...operations]),
  );
}

try {
  const response = await fetch(new URL("openapi.json", base));
  draw(await response.json());
} catch (error) {
  main.textContent = `无法读取接口定义 / cannot read the API's description: ${error.message}`;
}
