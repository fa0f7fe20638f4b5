// @ts-check
// The two languages of the page. A table is loaded when it is first wanted.
import { get } from "./store.js";

const tables = {};

export async function speak(lang) {
  tables[lang] ??= (await import(`./lang/${lang}.js`)).default;
  document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
}

/** The text of `name` in the language of the page, with `{n}` replaced from `values`. */
export function t(name, values) {
  const text = tables[get("lang")]?.[name];
  if (text === undefined) return name;
  return values ? text.replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole)) : text;
}

/** One of two texts, for errors that arrive in both languages. */
export const either = (zh, en) => (get("lang") === "en" ? en || zh : zh || en);
