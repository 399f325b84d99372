// What the numbers mean, in a sentence or two each.
"use strict";

function measuresView() {
  return [
    heading("Measures", "What the numbers mean"),
    h("p", { class: "lead" }, "Each in a sentence or two. Formulas, sources and what they cannot " +
      "tell stand in docs/measures.md of facenet_demo, the project that made this report."),
    glossary("Of a unit or a layer", REPORT.scores),
    glossary("Of a layer, in the progression", REPORT.measures),
  ];
}

function glossary(title, measures) {
  const list = Object.entries(measures);
  return list.length > 0 && [
    h("h2", {}, title),
    h("dl", { class: "glossary" }, list.map(([name, { label, explanation }]) =>
      h("div", { id: name, tabindex: -1 }, h("dt", {}, capital(label)),
        h("dd", {}, explanation, h("small", {}, ` More: docs/measures.md#${name}`))))),
  ];
}
