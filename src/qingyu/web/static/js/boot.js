// @ts-check
// Runs before the first paint: the chosen theme and language, so that nothing flashes.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("qingyu.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("qingyu.lang") === "en") root.lang = "en";
  } catch {
    // Storage may be closed to the page; the defaults serve.
  }
})();
