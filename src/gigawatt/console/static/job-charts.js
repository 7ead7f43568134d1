// Loss and throughput of a job that runs, as it reports them while the page is open. Kept for this tab, so that it can be reloaded.
(() => {
  "use strict";

  const POINTS_MAX = 4000, HEIGHT = 190;
  const FIELDS = { loss: "Loss by step", rate: "Tokens per second by step" };
  const points = [];
  const charts = {};
  let job = "";

  const colour = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };

  function draw(field) {
    const holder = document.getElementById("charts");
    const known = points.filter((each) => each[field] !== null);
    if (!holder || known.length < 2) return;
    const data = [known.map((each) => each.step), known.map((each) => each[field])];
    if (charts[field]) { charts[field].setData(data); return; }
    const figure = document.createElement("figure"), caption = document.createElement("figcaption"), box = document.createElement("div");
    caption.textContent = FIELDS[field];
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `${FIELDS[field]}; the newest value is in the text above`);
    figure.append(caption, box);
    holder.append(figure);
    const axis = { stroke: colour("--ink-2"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
    const made = new uPlot({
      width: box.clientWidth || 320,
      height: HEIGHT,
      legend: { show: false },
      scales: { x: { time: false } },
      axes: [axis, { ...axis, size: 60 }],
      series: [{}, { stroke: colour("--accent"), width: 1.5 }],
    }, data, box);
    charts[field] = made;
    new ResizeObserver(() => { if (box.clientWidth) made.setSize({ width: box.clientWidth, height: HEIGHT }); }).observe(figure);
  }

  function look() {
    const sample = document.getElementById("sample");
    if (!sample) return;
    const read = (text) => (text === "" || text === undefined ? null : Number(text));
    const { at, step, loss, rate } = sample.dataset;
    if (step === "" || (points.length && points[points.length - 1].at === at)) return;
    if (!job) {
      job = sample.dataset.job;
      try { points.push(...JSON.parse(sessionStorage.getItem(`gw-points-${job}`) || "[]")); } catch { /* none are kept */ }
    }
    const point = { at, step: Number(step), loss: read(loss), rate: read(rate) };
    while (points.length && points[points.length - 1].step >= point.step) points.pop();
    points.push(point);
    if (points.length > POINTS_MAX) points.splice(0, points.length - POINTS_MAX);
    try { sessionStorage.setItem(`gw-points-${job}`, JSON.stringify(points)); } catch { /* there is no room */ }
    Object.keys(FIELDS).forEach(draw);
  }

  function anew() {
    for (const [field, chart] of Object.entries(charts)) {
      chart.root.closest("figure").remove();
      chart.destroy();
      delete charts[field];
    }
    Object.keys(FIELDS).forEach(draw);
  }

  document.addEventListener("gw:theme", anew);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  new MutationObserver(look).observe(document.getElementById("content"), { subtree: true, childList: true, attributes: true, attributeFilter: ["data-at"] });
  look();
})();
