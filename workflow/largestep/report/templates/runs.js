/* The table of runs: sorted by a column's button, filtered by experiment and by text. */
{
  const filter = document.getElementById("runs-filter");
  const table = document.getElementById("runs-table");
  const rows = [...table.tBodies[0].rows];

  function apply() {
    const { experiment, text } = Object.fromEntries(new FormData(filter));
    for (const row of rows) {
      row.hidden = Boolean((experiment && row.cells[0].textContent !== experiment)
        || !row.textContent.toLowerCase().includes(text.toLowerCase()));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    document.getElementById("runs-count").textContent = `${shown} of ${rows.length} runs`;
  }

  function sort(heading) {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") === "ascending";
    const key = (row) => row.cells[column].dataset.key;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = Number.isNaN(Number(x)) ? x.localeCompare(y) : Number(x) - Number(y);
      return down ? -order : order;
    };
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append(...[...rows].sort(compare));
  }

  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("button")?.parentElement;
    if (heading) sort(heading);
  });
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const name = event.target.closest("a")?.dataset.showRuns;
    if (!name) return;
    filter.elements.experiment.value = name;
    filter.elements.text.value = "";
    apply();
  });
}
