// When each stage ran, attempt by attempt, and why attempts ended.

import { h } from "./dom.js";
import { clock, span, trimmed, when, whole } from "./format.js";

const FIRST = 6; // lines of the list that are seen at once

export function drawTimeline(line) {
  if (!line.rows.length) return h("p", { class: "quiet" }, "Nothing has started yet.");
  const length = line.end - line.start;
  const rows = line.rows.map((row) => h("div", { class: "track" },
    h("span", { class: "name small", title: row.stage }, row.stage),
    h("div", { class: "lane" }, row.bars.map((bar) => drawBar(bar, row.stage, line.start, length)))));
  const many = document.documentElement.clientWidth < 600 ? 2 : 5;
  const axis = h("div", { class: "track axis" }, h("span"), h("div", { class: "lane" }, Array.from({ length: many + 1 }, (_, index) => {
    const at = line.start + (length * index) / many;
    const label = h("span", { class: index === 0 ? "first" : index === many ? "last" : null }, clock(at, length));
    label.style.left = `${(100 * index) / many}%`;
    return label;
  })));
  return [h("div", { class: "timeline" }, rows, axis), ...list(line), ...avoided(line.avoidedNodes), hours(line.gpuHours)];
}

function drawBar(bar, stage, start, length) {
  const number = bar.number === null ? "" : ` attempt ${bar.number}`;
  const element = h("i", { class: bar.look, title: `${stage}${number}: ${bar.cause}\n${when(bar.from)}, ${span(bar.to - bar.from)}${bar.message ? `\n${bar.message}` : ""}` });
  element.style.left = `${(100 * (bar.from - start)) / length}%`;
  element.style.width = `max(3px, ${(100 * (bar.to - bar.from)) / length}%)`;
  return element;
}

function list(line) {
  const ended = line.rows.flatMap((row) => row.bars.filter((bar) => ["bad", "moved"].includes(bar.look)).map((bar) => ({ ...bar, stage: row.stage })));
  ended.sort((one, other) => other.to - one.to);
  if (!ended.length) return [h("p", { class: "quiet small" }, "No attempt that the status lists was interrupted.")];
  const one = (bar) => h("li", { class: bar.look },
    h("strong", {}, bar.cause), ` ended attempt ${bar.number} of ${bar.stage} at ${when(bar.to)}, after ${span(bar.to - bar.from)}`,
    bar.step === null ? "" : `, safe up to step ${whole(bar.step)}`,
    bar.node ? ` (node ${bar.node})` : "", bar.message ? h("div", { class: "quiet small" }, bar.message) : null);
  return [h("h3", {}, "Interruptions"), h("ol", { class: "causes" }, ended.slice(0, FIRST).map(one)), older(ended.slice(FIRST), one)];
}

function older(ended, one) {
  if (!ended.length) return null;
  return h("details", {}, h("summary", {}, `and ${ended.length} before`), h("ol", { class: "causes" }, ended.map(one)));
}

function avoided(nodes) {
  if (!nodes.length) return [];
  const one = ({ node, why }) => h("li", {}, h("strong", {}, node), why ? `: ${why}` : "");
  return [h("h3", {}, "Avoided nodes"), h("ul", { class: "causes" }, nodes.map(one))];
}

function hours(gpuHours) {
  const lost = Object.entries(gpuHours.lost).filter(([, one]) => one > 0).sort((one, other) => other[1] - one[1]);
  if (!gpuHours.useful && !lost.length) return null;
  const causes = lost.map(([cause, one]) => `${trimmed(one, 3)} to ${cause}`).join(", ");
  return h("p", { class: "small" }, `GPU-hours of attempts that have ended: ${trimmed(gpuHours.useful, 4)} useful${causes ? `; lost: ${causes}` : ""}.`);
}
