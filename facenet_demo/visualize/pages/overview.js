// The front page: what was examined, whether the progression holds, the layers in order.
"use strict";

const OPENING = "Early layers see edges, middle layers parts of a face, the last layers people: " +
  "so the story goes. Here it stands trial for this one network, beside controls that could " +
  "refute it.";

registerPage("overview", ({ progression }) => [
  masthead(),
  progressionSection(progression),
  valuesOf("layers") && h("section", { "aria-labelledby": "layers" },
    h("h2", { id: "layers" }, "Layer by layer"),
    layerList(NETWORKS[0])),
]);

function progressionSection(progression) {
  const { figure: chart, verdicts, rows, numbers } = progression;
  const supported = verdicts.filter((verdict) => verdict.supported).length;
  return h("section", { "aria-labelledby": "progression" },
    h("h2", { id: "progression" }, "The progression"),
    h("p", { class: "lead" }, OPENING, " ",
      h("strong", {}, `${supported} of ${verdicts.length} claims are supported.`)),
    figure(chart, "chart"),
    h("div", { class: "verdicts" }, verdicts.map(verdictCard)),
    rows.length > 0 && h("details", { class: "numbers" },
      h("summary", {}, "All the numbers, with 95 % intervals"),
      measuresOf(rows).map((name) => measureTable(name, rows)),
      h("p", { class: "hint" }, "For programs: ", h("a", { href: numbers.file }, numbers.file))));
}

const STATES = {
  true: ["yes", "Supported", "M4 10.5l4 4 8-9"],
  false: ["no", "Not supported", "M5 5l10 10M15 5L5 15"],
  null: ["unknown", "Not measurable", "M5 10h10"],
};

function verdictCard({ claim, supported, text }) {
  const [className, words, path] = STATES[supported];
  return h("article", { class: `verdict ${className}` },
    h("p", { class: "state" },
      svg("svg", { viewBox: "0 0 20 20", "aria-hidden": "true" }, svg("path", { d: path })),
      words),
    h("h3", {}, capital(claim)),
    h("p", {}, text));
}

function measuresOf(rows) {
  return [...new Set(rows.flatMap((row) => Object.keys(row.scores)))];
}

function measureTable(name, rows) {
  const { explanation, style } = measure(name);
  const measured = rows.filter((row) => row.scores[name]);
  const columns = [...new Set(measured.flatMap((row) => Object.keys(row.scores[name])))];
  const ends = measured.flatMap((row) => Object.values(row.scores[name]).flat())
    .filter((value) => value !== null);
  const scale = { low: Math.min(0, ...ends), high: Math.max(...ends) };
  return h("section", { class: "measure-table" },
    h("h3", {}, measureLink(name)),
    explanation && h("p", {}, explanation),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": measure(name).label },
      h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer"),
          h("th", { scope: "col", class: "number" }, "sees, px"),
          h("th", { scope: "col", class: "wide" }, h("span", { class: "key" },
            h("i", { class: "key-trained" }), columns[0],
            columns.length > 1 && [h("i", { class: "key-control" }), "controls"])),
          columns.map((column) => h("th", { scope: "col", class: "number" }, column)))),
        h("tbody", {}, measured.map((row) => h("tr", {},
          h("th", { scope: "row" }, row.layer),
          h("td", { class: "number" }, row.receptive_field),
          h("td", { class: "wide" }, intervalStrip(row.scores[name], columns, scale)),
          columns.map((column) => h("td", { class: "number" },
            intervalText(row.scores[name][column], style)))))))));
}

function intervalText(interval, style) {
  if (!interval || interval[0] === null) return "\u2013";
  const [value, low, high] = interval;
  return [h("b", {}, format(value, style)), low !== null && high !== null && h("small", {},
    ` ${format(low, style)} to ${format(high, style)}`)];
}

// Dots with whiskers, one line per column, on one scale for the whole table.
function intervalStrip(scores, columns, scale) {
  const x = (value) => 4 + (192 * (value - scale.low)) / (scale.high - scale.low || 1);
  const lines = columns.filter((column) => scores[column]?.[0] != null);
  const step = 22 / Math.max(1, lines.length);
  return svg("svg", { class: "strip", viewBox: "0 0 200 24", "aria-hidden": "true" },
    svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 24 }),
    lines.map((column, i) => {
      const [value, low, high] = scores[column];
      const y = 1 + step * (i + 0.5);
      return svg("g", { class: column === columns[0] ? "first" : "control" },
        low !== null && high !== null && svg("line", { x1: x(low), x2: x(high), y1: y, y2: y }),
        svg("circle", { cx: x(value), cy: y, r: column === columns[0] ? 2.7 : 2 }));
    }));
}
