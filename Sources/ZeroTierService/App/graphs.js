// Small graphs of a few minutes, as drawings that also have words.

import { setAttribute } from "./dom.js";

const namespace = "http://www.w3.org/2000/svg";

function drawn(name, attributes) {
  const made = document.createElementNS(namespace, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/**
 * A graph of one or two lines over time, all of one scale, which begins at 0. `update(lines)` draws it: arrays of numbers,
 * null where nothing is known. `words(lines)` says what is to be seen.
 */
export function graph({ words, width = 120, height = 28, slots = 60, kinds = ["first"] }) {
  const whole = drawn("svg", {
    viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "graph", preserveAspectRatio: "none",
  });
  const areas = kinds.map((kind) => drawn("path", { class: `area ${kind}` }));
  const paths = kinds.map((kind) => drawn("path", { class: `line ${kind}` }));
  whole.append(...areas, ...paths);
  whole.update = (lines) => {
    const top = Math.max(1e-9, ...lines.flat().filter((value) => value !== null));
    lines.forEach((values, index) => {
      const points = values.map((value, place) => value === null ? null : [
        width - (values.length - 1 - place) * width / (slots - 1),
        height - 1.5 - value / top * (height - 4),
      ]);
      setAttribute(paths[index], "d", outline(points));
      setAttribute(areas[index], "d", filled(points, height));
    });
    setAttribute(whole, "aria-label", words(lines));
  };
  return whole;
}

// Runs of points that are known, each by itself.
function runs(points) {
  const result = [[]];
  for (const point of points) {
    if (point) result.at(-1).push(point);
    else if (result.at(-1).length > 0) result.push([]);
  }
  return result.filter((run) => run.length > 0);
}

const place = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;

function outline(points) {
  return runs(points).map((run) => {
    // A point alone would not be seen.
    const all = run.length === 1 ? [[run[0][0] - 1, run[0][1]], run[0]] : run;
    return `M${all.map(place).join("L")}`;
  }).join("");
}

function filled(points, height) {
  return runs(points).filter((run) => run.length > 1)
    .map((run) => `M${run[0][0].toFixed(1)} ${height}L${run.map(place).join("L")}L${run.at(-1)[0].toFixed(1)} ${height}Z`).join("");
}

/** A line's last value and its bounds in words. */
export function inWords(values, unit) {
  const numbers = values.filter((value) => value !== null);
  if (numbers.length === 0) return "nothing known yet";
  const last = values.at(-1);
  const now = last === null ? "now unknown" : `now ${unit(last)}`;
  return `${now}, between ${unit(Math.min(...numbers))} and ${unit(Math.max(...numbers))}`;
}
