// @ts-check
// The request on the screen as code to copy. The key itself is never written out.
import { route } from "./api.js";
import { get } from "./store.js";

const address = (task) => new URL(route(task), document.baseURI).href;

/** For a POSIX shell: single quotes, a quote inside as '\''. */
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function curl(task, body) {
  const lines = [`curl ${address(task)}`, "  -H 'Content-Type: application/json'"];
  if (get("key")) lines.push('  -H "Authorization: Bearer $QINGYU_KEY"');
  lines.push(`  -d ${shell(JSON.stringify(body))}`);
  return lines.join(" \\\n");
}

/** JSON values as Python literals. */
function literal(value, indent = "") {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map((v) => inner + literal(v, inner))
    : Object.entries(value).map(([k, v]) => `${inner}${JSON.stringify(k)}: ${literal(v, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return items.length ? `${open}\n${items.join(",\n")},\n${indent}${close}` : open + close;
}

export function python(task, body) {
  const key = get("key");
  return [
    key ? "import os\n\nimport requests" : "import requests",
    "",
    "answer = requests.post(",
    `    ${JSON.stringify(address(task))},`,
    ...(key ? ['    headers={"Authorization": f"Bearer {os.environ[\'QINGYU_KEY\']}"},'] : []),
    `    json=${literal(body, "    ")},`,
    "    timeout=30,",
    ")",
    "answer.raise_for_status()",
    'print(answer.json()["results"])',
  ].join("\n");
}
