// One picture with axes and a few lines; a pointer over it shows the values at the nearest step.

import { FRAME, h, pageWidth, s } from "./dom.js";
import { cut, short, trimmed, whole } from "./format.js";

const HEIGHT = 190;
const SPACE = { left: 52, right: 10, top: 8, bottom: 24 };
const LEGEND = 8; // lines that are named below the picture

export function drawLines({ title, lines, marks, until = 0, logarithmic = false, dots = false, wide = false }) {
  const width = room(wide);
  const all = lines.flatMap((one) => one.points);
  const positive = logarithmic && all.every(([, value]) => value > 0);
  const map = positive ? Math.log10 : (value) => value;
  const [x0, x1] = fromNought(ends([...all.map(([step]) => step), ...(until ? [0, until] : [])]));
  const [y0, y1] = ends(all.map(([, value]) => map(value)), 0.06);
  const x = (step) => SPACE.left + ((step - x0) / (x1 - x0)) * (width - SPACE.left - SPACE.right);
  const y = (value) => HEIGHT - SPACE.bottom - ((map(value) - y0) / (y1 - y0)) * (HEIGHT - SPACE.top - SPACE.bottom);
  const cursor = s("line", { class: "cursor", y1: SPACE.top, y2: HEIGHT - SPACE.bottom, visibility: "hidden" });
  const readout = h("span", { class: "readout small" }, newest(lines));
  const picture = s("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${title} by step` },
    yAxis(y0, y1, positive, y, width), xAxis(x0, x1, x, width),
    marks.filter((mark) => mark.x >= x0 && mark.x <= x1).map((mark) => s("line", { class: "mark", x1: x(mark.x), x2: x(mark.x), y1: SPACE.top, y2: HEIGHT - SPACE.bottom }, s("title", {}, mark.text))),
    lines.map((one, index) => drawn(one, index, x, y, dots, lines.length)), cursor);
  const over = (event) => follow(event, picture, cursor, readout, lines, x, width);
  picture.addEventListener("pointermove", over);
  picture.addEventListener("pointerdown", over);
  picture.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    readout.textContent = newest(lines);
  });
  return h("figure", { class: wide ? "chart widest" : "chart" }, h("figcaption", {}, h("strong", {}, title), " ", readout), picture, legend(lines));
}

function room(wide) {
  const inner = pageWidth() - FRAME;
  const columns = wide || inner < 856 ? 1 : 2;
  return Math.floor((inner - (columns - 1) * 16) / columns);
}

// Where the first step is near 0, the axis begins there.
const fromNought = ([low, high]) => [low > 0 && low < 0.1 * high ? 0 : low, high];

function ends(values, share = 0) {
  const known = values.filter(Number.isFinite);
  let low = known.reduce((least, one) => Math.min(least, one), Infinity);
  let high = known.reduce((most, one) => Math.max(most, one), -Infinity);
  if (!(high > low)) [low, high] = [low - Math.abs(low) * 0.1 - 1e-9, high + Math.abs(high) * 0.1 + 1e-9];
  const more = (high - low) * share;
  return [low - more, high + more];
}

// Round numbers, some five of them.
function ticks(low, high, many) {
  const rough = (high - low) / many;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * size).find((one) => one >= rough);
  const found = [];
  for (let one = Math.ceil(low / step) * step; one <= high + step * 1e-9; one += step) found.push(Math.abs(one) < step * 1e-9 ? 0 : one);
  return found;
}

// As many as tell neighbours apart.
function digits(found) {
  if (found.length < 2) return 3;
  const largest = Math.max(...found.map(Math.abs));
  return Math.max(3, Math.ceil(Math.log10(largest / (found[1] - found[0]))) + 1);
}

function yAxis(y0, y1, positive, y, width) {
  const found = ticks(y0, y1, 4);
  return found.map((tick) => {
    const value = positive ? 10 ** tick : tick;
    const place = y(value);
    return [
      s("line", { class: "grid", x1: SPACE.left, x2: width - SPACE.right, y1: place, y2: place }),
      s("text", { class: "tick", x: SPACE.left - 6, y: place + 4, "text-anchor": "end" }, short(value, positive ? 3 : digits(found))),
    ];
  });
}

function xAxis(x0, x1, x, width) {
  const found = ticks(x0, x1, Math.max(2, Math.min(8, width / 110)));
  return found.filter((tick) => x(tick) < width - 16).map((tick) =>
    s("text", { class: "tick", x: x(tick), y: HEIGHT - 6, "text-anchor": "middle" }, short(tick, digits(found))));
}

function drawn(one, index, x, y, dots, lines) {
  const points = one.points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`);
  const few = dots && one.points.length <= 40 && lines <= 8 || one.points.length <= 2;
  return [
    s("polyline", { class: `curve c${index % 8}`, points: points.join(" ") }),
    few ? one.points.map(([step, value]) => s("circle", { class: `dot c${index % 8}`, cx: x(step), cy: y(value), r: 3 })) : null,
  ];
}

function legend(lines) {
  if (lines.length < 2) return null;
  const more = lines.length > LEGEND ? [h("li", {}, `and ${lines.length - LEGEND} more`)] : [];
  return h("ul", { class: "legend small" }, lines.slice(0, LEGEND).map((one, index) => h("li", { title: one.label }, h("i", { class: `c${index % 8}` }), cut(one.label, 40))), more);
}

const value = (one, point) => `${one.label ? `${cut(one.label, 24)} ` : ""}${trimmed(point[1], 4)}`;

function newest(lines) {
  if (lines.length > 1) return "";
  const point = lines[0].points.at(-1);
  return `${trimmed(point[1], 4)} at step ${whole(point[0])}`;
}

function follow(event, picture, cursor, readout, lines, x, width) {
  const frame = picture.getBoundingClientRect();
  const place = ((event.clientX - frame.left) / frame.width) * width;
  const nearest = (points) => points.reduce((best, one) => (Math.abs(x(one[0]) - place) < Math.abs(x(best[0]) - place) ? one : best));
  const found = lines.filter((one) => one.points.length).map((one) => [one, nearest(one.points)]);
  if (!found.length) return;
  const step = found.map(([, point]) => point[0]).reduce((best, one) => (Math.abs(x(one) - place) < Math.abs(x(best) - place) ? one : best));
  cursor.setAttribute("visibility", "visible");
  cursor.setAttribute("x1", x(step));
  cursor.setAttribute("x2", x(step));
  const told = found.filter(([, point]) => point[0] === step).slice(0, LEGEND).map(([one, point]) => value(one, point));
  readout.textContent = `step ${whole(step)}: ${told.join(", ")}`;
}
