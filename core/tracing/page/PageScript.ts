// The pages' script: keys only; everything works without it.
// Owns those keys; refuses to load or change content.

export const pageScript = `
"use strict";
(() => {
  const spans = () => [...document.querySelectorAll(".tree summary, .tree .leaf")].filter((one) => one.offsetParent !== null);
  const open = (on) => { for (const one of document.querySelectorAll(".tree details")) one.open = on; };
  const show = () => {
    const target = location.hash === "" ? null : document.getElementById(location.hash.slice(1));
    if (target === null) return;
    for (let one = target; one !== null; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    const own = target.querySelector("details");
    if (own !== null) own.open = true;
    target.scrollIntoView({ block: "center" });
    const first = target.querySelector("summary, .leaf");
    if (first !== null) first.focus({ preventScroll: true });
  };
  const go = (by) => {
    const all = spans();
    if (all.length === 0) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
    all[next].focus();
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const tag = event.target.tagName;
    if (tag === "INPUT" || tag === "SELECT" || tag === "TEXTAREA") {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const keys = {
      "/": () => document.querySelector("input[name=what]").focus(),
      j: () => go(1), k: () => go(-1), e: () => open(true), c: () => open(false)
    };
    const act = keys[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
  addEventListener("hashchange", show);
  show();
})();
`
