// @ts-check
// A job for Label Studio: tasks in its JSON format, and the labelling configuration they go with.
// An answer is a prediction; a row that somebody changed here has an annotation as well.
import { added, load } from "./answers.js";
import { tally } from "./summary.js";

const escape = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const choice = (label) => ({
  from_name: "label",
  to_name: "text",
  type: "choices",
  value: { choices: [label] },
});
const writing = (text) => ({
  from_name: "answer",
  to_name: "text",
  type: "textarea",
  value: { text: [text] },
});

/** Spans in UTF-16 units, as Label Studio counts; the service counts code points. */
function spans(text, entities) {
  const starts = [0];
  for (const point of text) starts.push(starts.at(-1) + point.length);
  return entities.map((one) => ({
    from_name: "label",
    to_name: "text",
    type: "labels",
    score: one.score,
    value: { start: starts[one.start], end: starts[one.end], text: one.text, labels: [one.label] },
  }));
}

const LABELLED = ["text-classification", "zero-shot-classification", "sentence-similarity"];

/** `{tasks, config}`: what is imported, and the XML of the project. */
export async function labelStudio(job) {
  const rows = await load(job);
  const column = job.header[job.column];
  const seen = [];
  const tasks = rows.map((row) => {
    const text = row.cells[job.column];
    const data = { ...Object.fromEntries(job.header.map((name, i) => [name, row.cells[i]])), text };
    if (!row.out || row.out.error) return { data };
    const [cell] = added(job.task, row);
    /** @type {any[]} */
    let result = [writing(cell)];
    let score = null;
    if (LABELLED.includes(job.task)) {
      seen.push(...(row.out.labels ?? []), cell);
      result = [choice(cell)];
      score = row.out.scores?.[0] ?? row.out.score;
    } else if (job.task === "token-classification") {
      seen.push(...row.out.entities.map((one) => one.label));
      result = spans(text, row.out.entities);
    }
    const prediction = { model_version: `qingyu ${job.task}`, result, ...(score !== null && { score }) };
    return { data, predictions: [prediction], ...(row.put && { annotations: [{ result }] }) };
  });
  const labels = tally(seen).map(([label]) => label);
  return { tasks, config: config(job.task, labels, column === "text" ? "" : column) };
}

function config(task, labels, column) {
  const listed = (tag) => labels.map((label) => `    <${tag} value="${escape(label)}"/>`).join("\n");
  const about = column && `\n  <!-- text: ${escape(column).replaceAll("--", "- -")} -->`;
  const control = LABELLED.includes(task)
    ? `  <Choices name="label" toName="text">\n${listed("Choice")}\n  </Choices>`
    : task === "token-classification"
      ? `  <Labels name="label" toName="text">\n${listed("Label")}\n  </Labels>`
      : '  <TextArea name="answer" toName="text"/>';
  return `<View>${about}\n  <Text name="text" value="$text"/>\n${control}\n</View>`;
}
