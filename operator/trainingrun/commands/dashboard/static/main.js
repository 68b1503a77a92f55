// Which page is shown, reading again and again, and what is said where that fails.

import { ago, when } from "./format.js";
import { h } from "./dom.js";
import { Overview } from "./overview.js";
import { RunPage } from "./run.js";

const EVERY = 2000; // milliseconds between two looks
const PATIENCE = 30000; // for an answer
const main = document.getElementById("main");
const banner = document.getElementById("banner");
const seen = document.getElementById("seen");
let page = null;
let turn = 0; // of the page that is shown: answers for another are dropped
let timer = null;
let last = 0; // when what is shown was read

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  return parts.length === 2
    ? { page: new RunPage(parts[0], parts[1]), path: `api/runs/${parts.map(encodeURIComponent).join("/")}` }
    : { page: new Overview(), path: "api/runs" };
}

function open() {
  turn += 1;
  page?.close?.();
  const { page: made, path } = route();
  page = made;
  last = 0;
  main.replaceChildren(page.element);
  scrollTo(0, 0);
  look(turn, path);
}

async function look(mine, path) {
  clearTimeout(timer);
  if (!document.hidden) {
    try {
      const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) throw new Error(await answer.text());
      const found = await answer.json();
      if (mine !== turn) return;
      take(found);
    } catch (error) {
      if (mine !== turn) return;
      const rest = last ? ` Below is what was there at ${when(last)}.` : "";
      tell(`The dashboard's own process does not answer: start trainingrun dashboard again and open the address that it prints.${rest}`);
    }
  }
  timer = setTimeout(() => look(mine, path), EVERY);
}

function take(found) {
  document.getElementById("where").textContent = found.title;
  if (found.model) {
    last = found.seen;
    page.show(found.model);
  } else if (!found.trouble) {
    last = found.seen;
    page.gone();
  }
  const rest = found.model ? ` Below is what was there at ${when(found.seen)}.` : "";
  tell(found.trouble ? `${found.trouble.message} So it is since ${when(found.trouble.since)}.${rest}` : "");
  tick();
}

function tell(text) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = !text;
  document.body.classList.toggle("stale", Boolean(text));
}

function tick() {
  const text = last ? `read ${ago(last)}` : "";
  if (seen.textContent !== text) seen.textContent = text;
}

addEventListener("hashchange", open);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look(turn, route().path);
});
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) page?.redraw?.();
  width = innerWidth;
});
setInterval(tick, 1000);
document.addEventListener("securitypolicyviolation", (event) => main.prepend(h("p", {}, `Refused: ${event.blockedURI}`)));
open();
