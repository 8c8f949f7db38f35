/* Claims: filters, the findings of each, and the run that decides a cell of the map. */
{
  const filter = document.getElementById("claims-filter");
  const claims = [...document.querySelectorAll("details.claim")];
  const packed = document.getElementById("findings");
  let findings;
  const every = () => (findings ??= unpack(packed));

  function apply() {
    const { verdict, origin, experiment } = Object.fromEntries(new FormData(filter));
    for (const claim of claims) {
      const of = claim.dataset;
      claim.hidden = Boolean((verdict && of.verdict !== verdict) || (origin && of.origin !== origin)
        || (experiment && !of.experiments.split(" ").includes(experiment)));
    }
    const shown = claims.filter((claim) => !claim.hidden).length;
    document.getElementById("claims-count").textContent = `${shown} of ${claims.length} claims`;
  }

  const COLUMNS = ["experiment", "η", "η̃", "seed", "step", "verdict", "measured", "bound", "slack", "note"];

  function explore([experiment, eta, stepsize, seed]) {
    const chosen = new URLSearchParams({ experiment });
    if (stepsize !== null) chosen.set("stepsizes", written_stepsize(eta ?? stepsize));
    if (seed !== null) chosen.set("seed", seed);
    return `#explore=${chosen}`;
  }
  const written_stepsize = (value) => String(Number(value.toPrecision(6)));

  function table(rows) {
    const made = element("table"), head = element("tr");
    head.append(...COLUMNS.map((name) => element("th", name, { scope: "col" })));
    const body = rows.map((row) => {
      const line = element("tr");
      line.append(...row.map((value) => element("td", typeof value === "string" ? value : written(value))));
      if (row[0]) line.firstChild.replaceChildren(element("a", row[0], { href: explore(row) }));
      return line;
    });
    made.createTHead().append(head);
    made.createTBody().append(...body);
    return made;
  }

  async function openFindings(claim) {
    const place = claim.querySelector(".findings");
    if (place.hasChildNodes()) return;
    const rows = (await every())[place.dataset.claim] ?? [];
    place.append(element("p", `${rows.length} findings, those that decide first:`), table(rows));
  }

  async function openCell(link) {
    const { claim, experiment } = link.dataset;
    const rows = ((await every())[claim] ?? []).filter((row) => row[0] === experiment);
    const [, eta, stepsize, seed, step, verdict, measured, bound, slack, note] = rows[0];
    const dialog = document.getElementById("finding"), body = document.getElementById("finding-body");
    document.getElementById("finding-title").textContent = `${claim} on ${experiment}: ${verdict}`;
    const facts = element("dl");
    const run = [eta !== null && `η = ${written(eta)}`, stepsize !== null && `η̃ = ${written(stepsize)}`,
      seed !== null && `seed ${seed}`, step !== null && `step ${written(step)}`].filter(Boolean);
    for (const [name, value] of [["decisive run", run.join(", ") || "all runs together"],
      ["measured", written(measured)], ["bound", written(bound)], ["room", written(slack)], ["note", note]]) {
      const pair = element("div");
      pair.append(element("dt", name), element("dd", value || "–"));
      facts.append(pair);
    }
    const more = element("p");
    const curve = element("a", "Its curve", { href: explore(rows[0]) });
    const all = element("a", "the claim and all its findings", { href: `#claim-${claim}` });
    for (const each of [curve, all]) each.addEventListener("click", () => dialog.close());
    more.append(curve, " in the explorer · ", all);
    const counted = `${rows.length} finding${rows.length === 1 ? "" : "s"} on this experiment.`;
    body.replaceChildren(document.querySelector(`#claim-${claim} .statement`).cloneNode(true), facts,
      element("p", counted), more);
    dialog.showModal();
  }

  if (filter) {
    filter.addEventListener("change", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
    for (const claim of claims) claim.addEventListener("toggle", () => claim.open && openFindings(claim));
    document.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      const of = link?.dataset ?? {};
      if (of.claim) {
        event.preventDefault();
        openCell(link);
      } else if (of.showVerdict || of.showExperiment) {
        filter.reset();
        filter.elements.verdict.value = of.showVerdict ?? "";
        filter.elements.experiment.value = of.showExperiment ?? "";
        apply();
      }
    });
    const follow = () => {
      const claim = location.hash.startsWith("#claim-") && document.getElementById(location.hash.slice(1));
      if (claim) Object.assign(claim, { hidden: false, open: true });
    };
    addEventListener("hashchange", follow);
    follow();
  }
}
