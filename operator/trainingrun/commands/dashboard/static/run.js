// One run, in parts.

import { drawChain } from "./chain.js";
import { drawCurves, drawScores } from "./charts.js";
import { h, Part } from "./dom.js";
import { ago, short, span, trimmed, when, whole } from "./format.js";
import { Logs } from "./logs.js";
import { bar, pill } from "./overview.js";
import { drawTimeline } from "./timeline.js";

const PARTS = ["Stages", "Training", "Scores", "Checkpoints", "Time line", "Events", "Logs"];

export class RunPage {
  constructor(namespace, name) {
    this.namespace = namespace;
    this.name = name;
    document.title = `${name} · trainingrun`;
    this.head = new Part(h("div", { class: "head" }), (model) => drawHead(model));
    this.logs = new Logs(`api/runs/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`);
    const draws = {
      Stages: (model) => drawChain(model),
      Training: (model, host) => drawCurves(model, host),
      Scores: (model, host) => drawScores(model, host),
      Checkpoints: (model) => drawCheckpoints(model),
      "Time line": (model) => drawTimeline(model),
      Events: (model) => drawEvents(model),
    };
    this.parts = {};
    const sections = PARTS.map((title) => {
      const host = title === "Logs" ? this.logs.element : h("div");
      if (draws[title]) this.parts[title] = new Part(host, (data) => draws[title](data, host));
      return h("section", { id: title.replace(" ", "-") }, h("h2", {}, title), host);
    });
    this.sections = [this.head.host, ...sections];
    this.element = h("div", {}, this.sections);
  }

  show(model) {
    if (!this.head.host.isConnected) this.element.replaceChildren(...this.sections); // it was gone, and is there again
    this.head.show({ ...model, chain: null, curves: null, scores: null, checkpoints: null, timeline: null, events: null, pods: null });
    this.parts.Stages.show(model.chain);
    this.parts.Training.show({ curves: model.curves, missing: model.missing.curves ?? model.missing.pods });
    this.parts.Scores.show(model.scores);
    this.parts.Checkpoints.show(model.checkpoints);
    this.parts["Time line"].show({ ...model.timeline, gpuHours: model.gpuHours, avoidedNodes: model.avoidedNodes });
    this.parts.Events.show({ events: model.events, missing: model.missing.events });
    this.logs.show(model.pods, model.missing.pods);
  }

  gone() {
    this.element.replaceChildren(h("h1", {}, this.name), h("p", {}, `There is no run ${this.name} in namespace ${this.namespace}: it was deleted, or never was. `, h("a", { href: "#/" }, "All runs")));
  }

  redraw() {
    Object.values(this.parts).forEach((part) => part.redraw());
  }

  close() {
    this.logs.close();
  }
}

function drawHead(model) {
  const figures = model.figures;
  const lost = Object.values(model.gpuHours.lost).reduce((sum, one) => sum + one, 0);
  const hours = model.gpuHours.useful + lost;
  const facts = [
    ["loss", figures.loss?.toFixed(3) ?? model.loss], ["time left", model.eta],
    [figures.unit ?? "steps", figures.total ? `${whole(figures.step)} of ${whole(figures.total)}` : null],
    ["tokens", figures.tokens ? short(figures.tokens) : null],
    ["tokens a second", figures.tokensPerSecond && model.phase === "Running" ? short(figures.tokensPerSecond) : null],
    ["newest checkpoint", figures.checkpoint ? whole(figures.checkpoint) : null],
    ["restarts", String(model.restarts)],
    ["GPU-hours", hours ? `${trimmed(hours, 3)}, ${trimmed((100 * model.gpuHours.useful) / hours, 3)} % useful` : null],
    ["made", model.created ? ago(model.created) : null],
    ["last report", figures.reportedAt && model.phase === "Running" ? when(figures.reportedAt) : null],
  ].filter(([, value]) => value);
  const doing = model.phase === "Running" && figures.activity ? ` · ${figures.activity}` : "";
  return [
    h("div", { class: "line" }, h("h1", { class: "name" }, model.name), pill(model.deleting ? "Deleting" : model.phase)),
    h("div", { class: "quiet" }, `namespace ${model.namespace}`, model.stage ? ` · ${model.stage}${doing}` : ""),
    bar(model.fraction, model.phase),
    ...[...new Set([...model.unreadable, ...model.troubles])].map((text) => h("p", { class: "trouble" }, text)),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    more("warning", model.warnings),
    more("note", model.notes),
  ];
}

function more(what, sentences) {
  if (!sentences.length) return null;
  const title = `${sentences.length} ${what}${sentences.length === 1 ? "" : "s"}`;
  return h("details", {}, h("summary", {}, title), h("ul", {}, sentences.map((one) => h("li", {}, one))));
}

function drawCheckpoints(table) {
  if (!table.rows.length) return h("p", { class: "quiet" }, "No checkpoint is evaluated yet.");
  const head = table.tasks.map((task) => h("th", { title: task.name, scope: "col" }, ...broken(task.name), task.better === "less" ? " ↓" : " ↑"));
  if (!table.tasks.length) head.push(h("th", { scope: "col" }, "converted"));
  const rows = table.rows.map((row) => h("tr", {},
    h("th", { scope: "row" }, whole(row.step)),
    table.tasks.length ? null : h("td", {}, row.converted ? "yes" : "not yet"),
    row.scores.map((score, index) => {
      const best = score !== null && score === table.tasks[index].best;
      return h("td", { class: best ? "best" : null }, score === null ? (row.converted ? "…" : "–") : score.toFixed(4));
    })));
  const left = [];
  if (table.leftOut) left.push(`${whole(table.leftOut)} older checkpoints are left out.`);
  if (table.tasksLeftOut) left.push(`${whole(table.tasksLeftOut)} more tasks are left out.`);
  return [
    h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Scores of checkpoints" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "step"), head)), h("tbody", {}, rows))),
    h("p", { class: "quiet small" }, [table.tasks.length ? "Best in bold; – is not converted yet, … not evaluated yet." : "", ...left].join(" ")),
  ];
}

// A task's name may be long: it breaks where its parts end.
const broken = (name) => name.split(/(?<=[_/,-])/).flatMap((part) => [part, h("wbr")]);

function drawEvents({ events, missing }) {
  if (missing) return h("p", { class: "trouble" }, missing);
  if (!events.length) return h("p", { class: "quiet" }, "There are none: the cluster forgets events after an hour.");
  return h("ol", { class: "events" }, events.map((one) => h("li", { class: one.type === "Warning" ? "warning" : null },
    h("time", {}, when(one.at)), h("span", { class: "reason" }, one.reason, one.count > 1 ? ` ×${one.count}` : ""), h("span", {}, one.message))));
}
