// Building blocks: elements and charts. Everything from the exchange enters as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, { text, className, ...attributes } = {}, children = []) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function table(target, columns, rows, empty) {
  const head = make("tr", {}, columns.map((column) => make("th", { text: column.title, className: column.kind })));
  const body = rows.map((row) => make("tr", {}, columns.map((column) => cell(column, row))));
  if (!rows.length) body.push(make("tr", {}, [make("td", { text: empty, className: "empty", colspan: columns.length })]));
  target.replaceChildren(make("thead", {}, [head]), make("tbody", {}, body));
}

function cell(column, row) {
  const shown = column.show(row);
  const className = [column.kind, column.tone?.(row)].filter(Boolean).join(" ");
  const element = make("td", { className, text: shown });
  if (column.kind === "long") element.title = shown;
  return element;
}

// Draw points [time, price text] as a line with an area; drawing may use floats, money may not.
export function chart(svg, points, { width, height, area }) {
  const prices = points.map(([, price]) => Number(price));
  if (prices.length === 1) { prices.push(prices[0]); points = [points[0], [points[0][0] + 1, points[0][1]]]; }
  if (!prices.length) return svg.replaceChildren();
  const low = Math.min(...prices), high = Math.max(...prices), room = high - low || 1;
  const start = points[0][0], length = points.at(-1)[0] - start || 1;
  const pad = height * 0.1;
  const place = points.map(([time], index) => {
    const x = ((time - start) / length) * width;
    const y = high === low ? height / 2 : height - pad - ((prices[index] - low) / room) * (height - 2 * pad);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const tone = prices.at(-1) >= prices[0] ? "up" : "down";
  const shapes = [shape("polyline", place.join(" "), tone)];
  if (area) shapes.unshift(shape("polygon", `0,${height} ${place.join(" ")} ${width},${height}`, tone));
  svg.replaceChildren(...shapes);
}

function shape(tag, points, className) {
  const element = document.createElementNS(SVG, tag);
  element.setAttribute("points", points);
  element.setAttribute("class", className);
  return element;
}

export function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 120 26");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

export const clockTime = (ms) => new Date(ms).toISOString().slice(11, 19);
export const dateTime = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
export const tone = (text) => (Number(text) > 0 ? "up" : Number(text) < 0 ? "down" : "");
// Cut surplus zeros of a decimal text, keeping at least two decimals.
export const tidy = (text) => text.replace(/(\.\d\d\d*?)0+$/, "$1");
