// @ts-check
// Puts the page together: language, navigation, the view of the address, the state of the link.
import * as api from "./api.js";
import { h, icon, iconButton, replace } from "./dom.js";
import { speak, t } from "./i18n.js";
import { openHistory, openKey } from "./parts/dialogs.js";
import { here, onmove } from "./router.js";
import { get, set, watch } from "./store.js";
import { VIEWS } from "./views/index.js";

const nav = document.getElementById("nav");
const tools = document.getElementById("tools");
const stage = document.getElementById("view");
const banner = document.getElementById("banner");

const shown = () => VIEWS.filter((v) => !v.task || api.offers(v.task));

function drawNav() {
  const current = stage.dataset.view;
  const group = (name) => {
    const views = shown().filter((v) => v.group === name);
    if (views.length === 0) return [];
    const entry = (v) =>
      h("a", { href: `#/${v.id}`, "aria-current": v.id === current && "page" }, icon(v.id), t(`${v.id}.nav`));
    return [name !== "first" && h("p", { class: "nav-title" }, t(`nav.${name}`)), views.map(entry)];
  };
  nav.setAttribute("aria-label", t("nav.label"));
  replace(nav, group("first"), group("tasks"), group("desk"));
  nav.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function drawTools() {
  const theme = get("theme");
  const next = { auto: "light", light: "dark", dark: "auto" }[theme];
  const other = get("lang") === "zh" ? "en" : "zh";
  replace(
    tools,
    h(
      "button",
      {
        type: "button",
        class: "icon-btn lang",
        lang: other === "zh" ? "zh-CN" : "en",
        title: t("lang.switch"),
        "aria-label": t("lang.switch"),
        onclick: () => set("lang", other),
      },
      t("lang.other"),
    ),
    iconButton(t(`theme.${theme}`), { auto: "auto", light: "sun", dark: "moon" }[theme], {
      onclick: () => set("theme", next),
    }),
    iconButton(t("history.title"), "history", { onclick: openHistory }),
    iconButton(t("key.title"), "key", { class: get("key") ? "is-on" : "", onclick: openKey }),
    h("a", { class: "icon-btn", href: "docs", title: t("docs"), "aria-label": t("docs") }, icon("book")),
  );
}

let turns = 0;

async function show({ view: id, params }) {
  const turn = ++turns;
  // A link is followed at once; once the models are known, one to what none of them does is not.
  const open = get("models").length ? shown() : VIEWS;
  const entry = open.find((v) => v.id === id) ?? open[0];
  /** @type {any} */
  const held = stage.firstElementChild;
  if (stage.dataset.view === entry.id && held?.restore && Object.keys(params).length)
    return held.restore(params);
  await Promise.all([entry.load(), speak(get("lang"))]);
  if (turn !== turns) return; // somebody has gone on to another view meanwhile
  /** @type {any} */
  const node = document.createElement(`view-${entry.id}`);
  node.restore?.(params);
  stage.dataset.view = entry.id;
  replace(stage, node);
  document.title = `${t(`${entry.id}.title`)} · ${t("app.title")}`;
  drawNav();
}

async function translate() {
  await speak(get("lang"));
  replace(document.getElementById("skip"), t("skip"));
  drawTools();
  delete stage.dataset.view;
  await show(here());
}

/** Asks until the service answers, then once more for its models. */
async function meet() {
  try {
    await api.models();
    if (shown().some((v) => v.id === stage.dataset.view)) drawNav();
    else await show(here());
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (error.passing) setTimeout(meet, 2000);
  }
}

watch((name, value) => {
  if (name === "lang") translate();
  if (name === "theme") {
    if (value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = value;
    drawTools();
  }
  if (name === "key") {
    drawTools();
    meet();
  }
  if (name === "connected") {
    replace(banner, !value && h("p", { class: "banner" }, h("span", { class: "dot" }), t("gone")));
    if (!value) meet();
  }
});

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

onmove(show);
await translate();
await meet();
