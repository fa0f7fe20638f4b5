// @ts-check
// Markdown as model cards have it, to elements: headings, paragraphs, lists, tables, code. What is
// none of these stays text, and nothing becomes markup by itself.
import { h } from "../dom.js";

const TOP = 2; // the level of a card's first heading, below that of the page

/** Code and bold within a line. */
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (/^`.+`$/.test(part)) return h("code", null, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return h("b", null, part.slice(2, -2));
    return part;
  });
}

const cells = (line) =>
  line
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.trim());

function table(lines) {
  const [head, , ...rows] = lines.map(cells);
  return h(
    "div",
    { class: "table-scroll", tabindex: 0, role: "region", "aria-label": head.join(" ") },
    h(
      "table",
      { class: "table" },
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          head.map((cell) => h("th", { scope: "col" }, inline(cell))),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((row) =>
          h(
            "tr",
            null,
            row.map((cell) => h("td", null, inline(cell))),
          ),
        ),
      ),
    ),
  );
}

const item = (line) => h("li", null, inline(line.replace(/^\s*([-*]|\d+\.) /, "")));

// How a block begins and goes on, and what is made of its lines.
const BLOCKS = [
  { begins: /^\|/, goes: /^\|/, make: table },
  { begins: /^\s*[-*] /, goes: /^\s*[-*] |^ {2,}\S/, make: (lines) => h("ul", null, lines.map(item)) },
  { begins: /^\s*\d+\. /, goes: /^\s*\d+\. |^ {2,}\S/, make: (lines) => h("ol", null, lines.map(item)) },
];

/** The nodes of a text. */
export function markdown(text) {
  // What stands before the first line of text is for machines: a header of YAML, comments.
  const lines = text
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .replace(/<!--[\s\S]*?-->/g, "")
    .split("\n");
  const nodes = [];
  let at = 0;
  const take = (goes) => {
    const from = at;
    at += 1;
    while (at < lines.length && goes(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,5}) (.+)/.exec(line);
    const block = BLOCKS.find(({ begins }) => begins.test(line));
    if (line.trim() === "") at += 1;
    else if (heading) {
      nodes.push(h(`h${Math.min(6, heading[1].length + TOP - 1)}`, null, inline(heading[2])));
      at += 1;
    } else if (line.startsWith("```")) {
      const code = take((one) => !one.startsWith("```")).slice(1);
      at += 1;
      nodes.push(h("pre", { tabindex: 0 }, h("code", null, code.join("\n"))));
    } else if (block) nodes.push(block.make(take((one) => block.goes.test(one))));
    else {
      const plain = (one) => one.trim() !== "" && !/^(#|\||```|\s*[-*] )/.test(one);
      nodes.push(h("p", null, inline(take(plain).join("\n"))));
    }
  }
  return nodes;
}
