"use strict";
// Draws a report by time; the table beside it has the same figures.
for (const box of document.querySelectorAll("[data-plot]")) {
  const { x, series, currency } = JSON.parse(box.dataset.plot);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const shown = (value) => (value == null ? "" : value.toLocaleString(undefined, { maximumFractionDigits: 2 }));
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const options = {
    width: box.clientWidth, height: 260, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    cursor: { drag: { x: true, y: false } },
    axes: [axis, { ...axis, size: 70, values: (_, ticks) => ticks.map(shown) }],
    series: [
      { label: "UTC", value: (_, seconds) => (seconds == null ? "" : new Date(seconds * 1000).toISOString().slice(0, 10)) },
      ...series.map((one, n) => ({ label: one.label, stroke: colour(`--s${n % 8}`), width: 2, points: { show: x.length < 40 }, value: (_, value) => (value == null ? "" : `${shown(value)} ${currency}`) })),
    ],
  };
  const plot = new uPlot(options, [x, ...series.map((one) => one.y)], box);
  new ResizeObserver(() => { if (box.clientWidth !== plot.width) plot.setSize({ width: box.clientWidth, height: 260 }); }).observe(box);
}
