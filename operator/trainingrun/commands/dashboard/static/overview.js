// All runs, a card each.

import { h, Part } from "./dom.js";
import { ago, cut } from "./format.js";

const MOST = 200; // cards: of more, the filter finds the one that is meant

export const pill = (phase) => h("span", { class: `pill ${phase.toLowerCase()}` }, phase);

export function bar(fraction, phase) {
  const known = fraction !== null && fraction !== undefined;
  const element = h("div", { class: `bar ${phase.toLowerCase()}`, role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": known ? Math.round(fraction * 100) : null });
  const inner = h("i");
  inner.style.width = known ? `${fraction * 100}%` : "0";
  element.append(inner);
  return element;
}

export class Overview {
  constructor() {
    document.title = "trainingrun";
    this.filter = h("input", { type: "search", placeholder: "Find a run", "aria-label": "Find a run", oninput: () => this.part.redraw() });
    this.cards = h("div", { class: "cards" });
    this.count = h("span", { class: "quiet" });
    this.element = h("div", {}, h("div", { class: "line" }, h("h1", {}, "Runs"), this.count, this.filter), this.cards);
    this.part = new Part(this.cards, (model) => this.draw(model));
  }

  show(model) {
    this.part.show(model);
  }

  gone() {}

  redraw() {}

  draw(model) {
    const text = this.filter.value.trim().toLowerCase();
    const found = model.runs.filter((run) => `${run.namespace}/${run.name} ${run.phase}`.toLowerCase().includes(text));
    const where = model.namespace ? ` in namespace ${model.namespace}` : " in all namespaces";
    this.count.textContent = `${model.runs.length}${where}`;
    this.filter.hidden = model.runs.length < 5;
    if (!model.runs.length) return h("p", { class: "quiet" }, `There are no runs${where}. Write one with trainingrun init, and apply it with kubectl apply.`);
    if (!found.length) return h("p", { class: "quiet" }, "No run has that in its name, namespace or phase.");
    const more = found.length > MOST ? h("p", { class: "quiet" }, `and ${found.length - MOST} more: type a part of a name above.`) : null;
    return [...found.slice(0, MOST).map(card), more];
  }
}

function card(run) {
  const facts = [
    ["loss", run.loss], ["time left", run.eta], ["restarts", run.restarts || null], ["made", run.created ? ago(run.created) : null],
  ].filter(([, value]) => value);
  return h("a", { class: "card", href: `#/${encodeURIComponent(run.namespace)}/${encodeURIComponent(run.name)}` },
    h("div", { class: "line" }, h("strong", { class: "name", title: run.name }, run.name), pill(run.deleting ? "Deleting" : run.phase)),
    h("div", { class: "quiet small" }, run.namespace),
    h("div", { class: "line small" }, h("span", { class: "name" }, run.stage ?? (run.phase === "Succeeded" ? "every stage is done" : "")), h("span", { class: "number" }, run.progress ?? "")),
    bar(run.fraction, run.phase),
    h("dl", { class: "facts small" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    run.troubles.length ? h("p", { class: "trouble small" }, cut(run.troubles[0], 220)) : null);
}
