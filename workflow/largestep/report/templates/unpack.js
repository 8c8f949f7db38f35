"use strict";

/** What largestep.report.explorer.packed has packed. */
async function unpack(element) {
  const bytes = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
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

// Printed pages have everything open.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) {
    each.open = true;
    each.dataset.openedForPrint = "";
  }
});
addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("[data-opened-for-print]")) {
    each.open = false;
    delete each.dataset.openedForPrint;
  }
});
