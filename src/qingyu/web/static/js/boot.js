// @ts-check
// Runs before the first paint: the chosen theme, so that nothing flashes.
(() => {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("qingyu.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be closed to the page; the defaults serve.
  }
})();
