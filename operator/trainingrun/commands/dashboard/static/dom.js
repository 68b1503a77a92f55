// Elements made one by one: whatever a run or a log says is text, never markup.

// What pictures are drawn for: the page's width, and how much of it a section's edges take.
export const pageWidth = () => Math.max(300, Math.min(document.documentElement.clientWidth, 1240));
export const FRAME = 2 * 16 + 2 * 12 + 2;

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A part of the page that is drawn anew only where what it shows has changed, so that what is read stays put.
export class Part {
  constructor(host, draw) {
    this.host = host;
    this.draw = draw;
    this.shown = undefined;
  }

  show(data, force = false) {
    const text = JSON.stringify(data ?? null);
    if (!force && text === this.shown) return;
    this.shown = text;
    this.data = data;
    const made = this.draw(data);
    this.host.replaceChildren(...(Array.isArray(made) ? made : [made]).filter(Boolean));
  }

  redraw() {
    if (this.shown !== undefined) this.show(this.data, true);
  }
}
