"use strict";

/** The bytes that largestep.report.packing has compressed. */
async function inflated(element) {
  const bytes = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const parsed = (bytes) => JSON.parse(new TextDecoder().decode(bytes));
const unpack = async (element) => parsed(await inflated(element));

/** What `packing.curves` has packed: JSON whose columns say how the integers after it are read. */
async function unpackCurves(element) {
  const bytes = await inflated(element), begin = bytes.indexOf(10) + 1;
  const data = parsed(bytes.subarray(0, begin)), count = (bytes.length - begin) / 4;
  let place = begin;
  const integer = () => {
    let folded = 0;
    for (let part = 0; part < 4; part++) folded |= bytes[place + part * count] << (8 * part);
    place++;
    return (folded >>> 1) ^ -(folded & 1);
  };
  /** Sums of sums, modulo 2^32. */
  const integers = (length, order) => {
    const found = Int32Array.from({ length }, integer);
    for (; order; order--) for (let k = 1; k < length; k++) found[k] += found[k - 1];
    return found;
  };
  for (const run of data.runs) {
    const steps = Array.from(integers(run.rows, 1), (k) => data.steps[k]);
    const read = ({ line, values, scale, unit, from, order }) => {
      if (line) return steps.map((step) => line[0] + line[1] * step);
      const places = values === undefined ? steps.keys() : integers(values, 1);
      const column = new Array(steps.length).fill(null);
      const found = integers(values ?? steps.length, order);
      [...places].forEach((at, k) => { column[at] = scale * Math.sinh(unit * (from + found[k])); });
      return column;
    };
    for (const [name, how] of Object.entries(run.columns)) run.columns[name] = read(how);
    run.columns.step = steps;
  }
  return data;
}

/** An element with text; texts never become markup. */
function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A number with five digits that count. */
function written(value) {
  if (value === null || value === "") return "–";
  if (typeof value !== "number") return value;
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en");
  const digits = Number(value.toPrecision(5));
  return Math.abs(digits) < 1e-3 || Math.abs(digits) >= 1e9 ? digits.toExponential() : String(digits);
}

// Folded figures are unpacked at once, since printing waits for nothing, and drawn when they open.
const packed = new Map();
function drawFigures(within) {
  for (const figure of within.querySelectorAll(".packed")) {
    if (!packed.has(figure)) continue;
    packed.get(figure).forEach((markup, k) => { figure.children[k].innerHTML = markup; });
    packed.delete(figure);
    figure.classList.remove("packed");
  }
}
document.querySelectorAll("script[data-plate]").forEach(async (script) => {
  const plate = document.getElementById(`figure-${script.dataset.plate}`);
  packed.set(plate.querySelector(".packed"), await unpack(script));
  if (plate.closest("details").open) drawFigures(plate);
});
document.addEventListener("toggle", ({ target }) => target.open && drawFigures(target), true);

// Printed pages have everything open.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) {
    each.open = true;
    each.dataset.openedForPrint = "";
  }
  drawFigures(document);
});
addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("[data-opened-for-print]")) {
    each.open = false;
    delete each.dataset.openedForPrint;
  }
});
