// The stages as a picture: boxes from left to right where there is room, else a list with its branches beside it.

import { FRAME, h, pageWidth, s } from "./dom.js";
import { cut } from "./format.js";

const NARROW = 760;
const BOX = { widest: 160, least: 112, height: 48, right: 30, below: 14 };
const ROW = 46;
const SIGNS = { Succeeded: "✓", Failed: "✕", Running: "▶", Suspended: "‖", Waiting: "…", Pending: "" };

export function drawChain(chain) {
  if (!chain.boxes.length) return h("p", { class: "quiet" }, "The operator has not looked at this run yet.");
  return pageWidth() < NARROW ? tall(chain) : wide(chain);
}

const title = (box) => s("title", {}, `${box.name}: ${box.phase}, ${box.text}${box.message ? `\n${box.message}` : ""}`);

function wide(chain) {
  const columns = 1 + Math.max(...chain.boxes.map((box) => box.depth));
  const fitting = Math.floor((pageWidth() - FRAME - 3 + BOX.right) / columns) - BOX.right;
  const size = Math.min(BOX.widest, Math.max(BOX.least, fitting));
  const x = (box) => box.depth * (size + BOX.right) + 1;
  const named = chain.lanes.length > 1 ? 16 : 0;
  const y = (box) => box.lane * (BOX.height + BOX.below + named) + named + 1;
  const places = new Map(chain.boxes.map((box) => [box.name, box]));
  const width = Math.max(...chain.boxes.map(x)) + size + 2;
  const height = Math.max(...chain.boxes.map(y)) + BOX.height + 2;
  const first = chain.lanes.map((_, lane) => chain.boxes.filter((box) => box.lane === lane).sort((a, b) => a.depth - b.depth)[0]);
  const picture = s("svg", { class: "chain", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "The run's stages and what each waits for" },
    chain.edges.map((edge) => line(places.get(edge.from), places.get(edge.to), edge, x, y, size)),
    named ? first.map((box, lane) => box && s("text", { class: "lane", x: x(box), y: y(box) - 5 }, cut(chain.lanes[lane], 40))) : null,
    chain.boxes.map((box) => drawBox(box, x(box), y(box), size)));
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Stages" }, picture);
}

function drawBox(box, x, y, size) {
  const done = box.fraction === null || box.phase === "Succeeded" ? 0 : box.fraction * (size - 2);
  return s("g", { class: `box ${box.phase.toLowerCase()}` }, title(box),
    s("rect", { class: "frame", x, y, width: size, height: BOX.height, rx: 6 }),
    done ? s("rect", { class: "done", x: x + 1, y: y + BOX.height - 5, width: done, height: 4, rx: 2 }) : null,
    s("text", { class: "stage", x: x + 9, y: y + 19 }, cut(box.name, Math.floor((size - 28) / 8.2))),
    s("text", { class: "text", x: x + 9, y: y + 36 }, cut(box.text, Math.floor((size - 14) / 6.9))),
    s("text", { class: "sign", x: x + size - 9, y: y + 19, "text-anchor": "end" }, SIGNS[box.phase] ?? ""));
}

function line(from, to, edge, x, y, size) {
  const [x1, y1, x2, y2] = [x(from) + size, y(from) + BOX.height / 2, x(to), y(to) + BOX.height / 2];
  const bend = Math.min(40, (x2 - x1) / 2 + 6);
  // It changes its lane in the gap behind its first box, so that it crosses none between.
  const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${x1 + 2} ${y2} ${x1 + BOX.right} ${y2}L${x2} ${y2}`;
  return s("path", { class: `edge${edge.follows ? " follows" : ""}`, d: y1 === y2 ? `M${x1} ${y1}L${x2} ${y2}` : path });
}

function tall(chain) {
  const gap = Math.min(18, 130 / Math.max(chain.lanes.length, 1));
  const order = new Map(chain.boxes.map((box, row) => [box.name, { ...box, row }]));
  const x = (box) => 9 + box.lane * gap;
  const y = (box) => box.row * ROW + 18;
  const text = 9 + (chain.lanes.length - 1) * gap + 18;
  const height = chain.boxes.length * ROW;
  const room = pageWidth() - FRAME;
  const letters = Math.floor((room - text - 26) / 7.6);
  const boxes = [...order.values()];
  return s("svg", { class: "chain tall", width: room, height, viewBox: `0 0 ${room} ${height}`, role: "img", "aria-label": "The run's stages and what each waits for" },
    chain.edges.map((edge) => branch(order.get(edge.from), order.get(edge.to), edge, x, y)),
    boxes.map((box) => s("g", { class: `box ${box.phase.toLowerCase()}` }, title(box),
      s("circle", { class: "dot", cx: x(box), cy: y(box), r: 6 }),
      s("text", { class: "stage", x: text, y: y(box) + 1 }, cut(box.name, letters)),
      s("text", { class: "text", x: text, y: y(box) + 17 }, cut(`${box.phase} · ${box.text}`, letters + 4)),
      s("text", { class: "sign", x: room - 4, y: y(box) + 3, "text-anchor": "end" }, SIGNS[box.phase] ?? ""))));
}

function branch(from, to, edge, x, y) {
  const [x1, y1, x2, y2] = [x(from), y(from), x(to), y(to)];
  const path = x1 === x2 ? `M${x1} ${y1}L${x2} ${y2}` : `M${x1} ${y1}C${x1} ${y1 + ROW * 0.7} ${x2} ${y1 + ROW * 0.1} ${x2} ${y1 + ROW * 0.8}L${x2} ${y2}`;
  return s("path", { class: `edge${edge.follows ? " follows" : ""}`, d: path });
}
