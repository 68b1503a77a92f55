// Numbers and times for people.

const SIZES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
const SPANS = [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]];

export function short(number, digits = 3) {
  if (number === null || number === undefined) return "–";
  const size = SIZES.find(([least]) => Math.abs(number) >= least);
  if (size) return `${trimmed(number / size[0], digits)}${size[1]}`;
  return trimmed(number, Math.max(digits, 4));
}

export function trimmed(number, digits) {
  if (number === null || number === undefined) return "–";
  if (number === 0) return "0";
  if (Math.abs(number) < 1e-3) return number.toExponential(1);
  return String(Number(number.toPrecision(digits)));
}

export function whole(number) {
  return number === null || number === undefined ? "–" : number.toLocaleString("en");
}

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const rounded = Math.max(0, Math.round(seconds));
  for (const [size, unit, smaller, small] of SPANS) {
    if (rounded >= size) return `${Math.floor(rounded / size)}${unit}${Math.floor((rounded % size) / smaller)}${small}`;
  }
  return `${rounded}s`;
}

export function ago(at) {
  return at ? `${span(Date.now() / 1000 - at)} ago` : "";
}

export function when(at) {
  if (!at) return "–";
  const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Date(at * 1000).toLocaleString("en-GB", options);
}

export function clock(at, length) {
  const date = new Date(at * 1000);
  if (length > 6 * 86400) return date.toLocaleDateString("en-GB", { month: "short", day: "numeric" });
  const day = length > 0.8 * 86400 ? { month: "short", day: "numeric" } : {};
  const second = length < 600 ? { second: "2-digit" } : {};
  return date.toLocaleString("en-GB", { ...day, hour: "2-digit", minute: "2-digit", hour12: false, ...second });
}

export function cut(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
