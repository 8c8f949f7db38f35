/* The explorer: a form whose state is the URL's fragment, and a Vega-Lite chart of what it says. */
{
  const form = document.getElementById("explorer-form");
  const fields = form.elements;
  const stepsizes = document.getElementById("explorer-stepsizes");
  const prefix = "#explore=";
  const loaded = {};
  let experiment, view, drawn = 0;

  async function load(name) {
    const packed = [...document.querySelectorAll("script[data-curves]")];
    loaded[name] ??= unpackCurves(packed.find((each) => each.dataset.curves === name));
    return loaded[name];
  }

  function offer(select, options, wanted) {
    select.replaceChildren(...options.map(([value, text]) => element("option", text, { value })));
    select.value = options.some(([value]) => value === wanted) ? wanted : options[0][0];
  }

  /** Fill the form with what the chosen experiment has, keeping what is wanted where it has it. */
  async function choose(wanted) {
    const names = [...fields.experiment.options].map((option) => option.value);
    if (names.includes(wanted.experiment)) fields.experiment.value = wanted.experiment;
    experiment = await load(fields.experiment.value);
    const named = ({ column, name }) => [column, name];
    offer(fields.quantity, experiment.quantities.map(named), wanted.quantity);
    offer(fields.axis, experiment.axes.map(named), wanted.axis);
    const seeds = [...new Set(experiment.runs.map((run) => String(run.seed)))];
    offer(fields.seed, [["", "all"], ...seeds.map((seed) => [seed, seed])], wanted.seed);
    fields.logx.checked = wanted.logx !== "0";
    fields.logy.checked = wanted.logy === undefined ? quantity().log : wanted.logy === "1";
    fields.marks.checked = wanted.marks !== "0";
    const shown = wanted.stepsizes?.split(",");
    const curves = new Map(experiment.runs.map((run) => [run.curve, run.colour]));
    stepsizes.replaceChildren(...[...curves].reverse().map(([curve, colour]) => {
      const box = element("input", "", { type: "checkbox", name: "stepsize", value: curve });
      box.checked = !shown || shown.includes(curve);
      const label = element("label");
      const swatch = element("span", "", { class: "swatch" });
      swatch.style.background = colour;
      label.append(box, swatch, /^[\d.e+-]+$/.test(curve) ? `${experiment.symbol} = ${curve}` : curve);
      return label;
    }));
    await draw();
  }

  const quantity = () => experiment.quantities.find((each) => each.column === fields.quantity.value);
  const axis = () => experiment.axes.find((each) => each.column === fields.axis.value);
  const boxes = () => [...stepsizes.querySelectorAll("input")];

  function state() {
    const all = boxes(), chosen = all.filter((box) => box.checked);
    const found = new URLSearchParams({
      experiment: fields.experiment.value,
      quantity: fields.quantity.value,
      axis: fields.axis.value,
      logx: Number(fields.logx.checked),
      logy: Number(fields.logy.checked),
      marks: Number(fields.marks.checked),
    });
    if (fields.seed.value) found.set("seed", fields.seed.value);
    if (chosen.length < all.length) found.set("stepsizes", chosen.map((box) => box.value).join(","));
    return found;
  }

  /** Points of the runs chosen, and the marks on them. */
  function points() {
    const chosen = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
    const rows = [], marks = [];
    experiment.runs.forEach((run, number) => {
      if (!chosen.has(run.curve) || (fields.seed.value && String(run.seed) !== fields.seed.value)) return;
      const steps = run.columns.step, xs = run.columns[axis().column], ys = run.columns[quantity().column];
      const events = [[run.change || null, "circle", "last increase of the loss"],
        [run.stable, "diamond", "stable phase begins"]];
      let previous = -1;
      steps.forEach((step, place) => {
        const x = xs[place], y = ys[place];
        if (x === null || y === null || (fields.logx.checked && x <= 0) || (fields.logy.checked && y <= 0)) return;
        const row = { x, y, run: number, curve: run.curve, seed: run.seed, colour: run.colour };
        rows.push(row);
        for (const [at, shape, what] of events) {
          if (at !== null && previous < at && at <= step) marks.push({ ...row, shape, what });
        }
        previous = step;
      });
    });
    return { rows, marks: fields.marks.checked ? marks : [] };
  }

  /** Ticks at powers of ten where a logarithmic axis spans some. */
  function decades(channel, type, rows) {
    const exponents = rows.map((row) => Math.log10(row[channel]));
    const [low, high] = exponents.reduce(([a, b], e) => [Math.min(a, e), Math.max(b, e)], [Infinity, -Infinity]);
    if (type !== "log" || !(high - low > 1.5)) return {};
    const values = [], every = Math.ceil((high - low) / 10);
    for (let e = Math.ceil(low); e <= Math.ceil(high); e += every) values.push(Number(`1e${e}`));
    return { values };
  }

  async function draw() {
    const turn = ++drawn;
    const { rows, marks } = points();
    const place = document.getElementById("explorer-view");
    if (!rows.length) {
      view?.finalize();
      view = undefined;
      place.replaceChildren();
      return tell(rows);
    }
    const chart = JSON.parse(document.getElementById("chart").textContent);
    chart.datasets = { rows, marks };
    chart.layer = chart.layer.filter((layer) => layer.data?.name !== "marks" || marks.length);
    const scales = {
      x: { type: fields.logx.checked ? "log" : "linear", nice: false },
      y: fields.logy.checked ? { type: "log" } : { type: "linear", zero: false },
    };
    for (const layer of chart.layer) {
      for (const [channel, title] of [["x", axis().name], ["y", quantity().name]]) {
        Object.assign(layer.encoding[channel], { title, scale: scales[channel] });
        layer.encoding[channel].axis = {
          title, format: ",~g", labelOverlap: true, ...decades(channel, scales[channel].type, rows),
        };
      }
    }
    const made = await vegaEmbed(place, chart, { actions: false, renderer: "canvas" });
    if (turn !== drawn) return made.finalize();
    view?.finalize();
    view = made;
    tell(rows);
  }

  /** What is shown, in words, and the link to it. */
  function tell(rows) {
    const name = `${quantity().name} against ${axis().name}, ${fields.experiment.value}`;
    document.getElementById("explorer-view").setAttribute("aria-label", name);
    const runs = new Set(rows.map((row) => row.run)).size;
    const left = experiment.left_out ? `; ${experiment.left_out} more are in metrics/trajectories.parquet` : "";
    document.getElementById("explorer-note").textContent =
      `${runs} run${runs === 1 ? "" : "s"}, ${rows.length} points${left}.`;
    document.getElementById("explorer-link").href = prefix + state();
  }

  const restored = () => Object.fromEntries(new URLSearchParams(location.hash.slice(prefix.length)));

  form.addEventListener("change", async (event) => {
    if (event.target === fields.experiment) await choose({ experiment: fields.experiment.value });
    else {
      if (event.target === fields.quantity) fields.logy.checked = quantity().log;
      await draw();
    }
    history.replaceState(null, "", prefix + state());
  });
  form.addEventListener("click", async (event) => {
    const all = event.target.dataset?.choose;
    if (!all) return;
    for (const box of boxes()) box.checked = all === "all";
    await draw();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  async function follow() {
    if (!location.hash.startsWith(prefix)) return;
    await choose(restored());
    document.getElementById("explorer").scrollIntoView();
  }
  addEventListener("hashchange", follow);
  if (location.hash.startsWith(prefix)) follow();
  else choose({});
}
