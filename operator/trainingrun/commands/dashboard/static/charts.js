// Lines over training steps: losses and the like, and scores.

import { h } from "./dom.js";
import { drawLines } from "./lines.js";
import { whole } from "./format.js";

let logarithmic = false;
const chosen = new Map(); // which stage's curves are looked at, by the stages there are

export function drawCurves({ curves, missing }, host) {
  const told = missing ? h("p", { class: "quiet small" }, `These may not be the whole curves: ${missing}`) : null;
  if (!curves.length) return [h("p", { class: "quiet" }, "No training stage has reported a loss yet, or the pods that did are gone."), told];
  const stages = curves.map((one) => one.stage);
  const key = stages.join();
  const stage = chosen.get(key) ?? running(curves);
  const curve = curves.find((one) => one.stage === stage) ?? curves[0];
  const again = () => host.replaceChildren(...drawCurves({ curves, missing }, host).filter(Boolean));
  const choices = stages.length < 2 ? null : h("div", { class: "choices", role: "group", "aria-label": "Stage" }, stages.map((name) =>
    h("button", { type: "button", "aria-pressed": String(name === curve.stage), onclick: () => { chosen.set(key, name); again(); } }, name)));
  const scale = h("label", { class: "small" }, h("input", { type: "checkbox", checked: logarithmic, onchange: (event) => { logarithmic = event.target.checked; again(); } }), " logarithmic");
  const marks = curve.restarts.map((one) => ({ x: one.step, text: `attempt ${one.number} went on from step ${whole(one.step)}` }));
  const pictures = curve.lines.map((one) => drawLines({
    title: one.label, lines: [{ ...one, label: "" }], marks, until: curve.total, logarithmic, wide: one.key === "loss",
  }));
  const restarts = marks.length ? h("p", { class: "quiet small" }, "Dashed lines: where a later attempt went on from.") : null;
  return [h("div", { class: "line" }, choices, scale), h("div", { class: "charts" }, pictures), restarts, told];
}

function running(curves) {
  return curves.find((one) => one.stage === "pretrain")?.stage ?? curves[0].stage;
}

export function drawScores(pictures) {
  if (!pictures.length) return h("p", { class: "quiet" }, "No checkpoint is evaluated yet.");
  return h("div", { class: "charts" }, pictures.map((one) => drawLines({ title: one.metric, lines: one.lines, marks: [], dots: true })));
}
