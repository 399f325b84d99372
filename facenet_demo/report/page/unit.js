// Everything about one unit.
"use strict";

const PEOPLE_SHOWN = 10;

function unitView(network, layer, unit, query) {
  const order = sortedUnits(layer, query);
  const place = order.indexOf(unit);
  const href = (other) => route([network.name, layer.name, other.unit], query);
  const back = route([network.name, layer.name], query);
  return [
    crumbs(["Report", "#/"], [capital(network.name), route([network.name])], [layer.name, back],
      [`unit ${unit.unit}`]),
    h("div", { class: "turn" },
      turn(order[place - 1], href, "prev", "\u2190 ", ""),
      h("a", { class: "back", href: back }, "All units"),
      turn(place >= 0 ? order[place + 1] : undefined, href, "next", "", " \u2192")),
    h("h1", { tabindex: -1 }, `Unit ${unit.unit}`, h("small", {}, ` of ${layer.name}`,
      network !== REPORT.networks[0] && `, ${network.name}`)),
    h("p", { class: "lead" }, unitSentence(layer, unit)),
    figures(unit.pictures),
    h("div", { class: "columns" },
      h("div", {}, partScores(unit), unitScores(layer, unit)), peopleBars(unit)),
  ];
}

function turn(other, href, rel, before, after) {
  if (!other) return h("span", { class: "turn-end" });
  return h("a", { rel, href: href(other) },
    before && h("span", { "aria-hidden": "true" }, before), `unit ${other.unit}`,
    after && h("span", { "aria-hidden": "true" }, after));
}

function unitSentence(layer, unit) {
  const seen = `One position of this unit ${fieldText(layer.receptive_field)}.`;
  const part = unit.best_part ? ` It matches ${unit.best_part} best.` : "";
  const person = unit.best_person ? ` It responds most to ${unit.best_person}.` : "";
  return seen + part + person;
}

function unitScores(layer, unit) {
  const names = scoresOf([unit]);
  if (!names.length) return null;
  const rank = (name) => 1 + layer.units.filter((other) =>
    (other.scores[name] ?? -Infinity) > unit.scores[name]).length;
  return h("section", {},
    h("h2", {}, "Scores"),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "measure"),
        h("th", { scope: "col", class: "number" }, "value"),
        h("th", { scope: "col", class: "number" }, "in its layer"))),
      h("tbody", {}, names.map((name) => h("tr", {},
        h("th", { scope: "row" }, measureLink(name)),
        h("td", { class: "number" }, h("b", {},
          format(unit.scores[name], measure(name).style))),
        h("td", { class: "number soft" }, `${rank(name)} of ${layer.units.length}`))))));
}

function partScores(unit) {
  const parts = Object.entries(unit.parts).sort((a, b) => b[1][0] - a[1][0]);
  if (!parts.length) return null;
  const largest = Math.max(...parts.flatMap(([, [iou, prior]]) => [iou, prior ?? 0]));
  return h("section", {},
    h("h2", {}, "Parts of the face"),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "part"),
        h("th", { scope: "col", class: "wide" }, h("span", { class: "hidden" }, "overlap")),
        h("th", { scope: "col", class: "number" }, "overlap"),
        h("th", { scope: "col", class: "number" }, "by place"),
        h("th", { scope: "col", class: "number" }, measureLink("auc")))),
      h("tbody", {}, parts.map(([part, [iou, prior, auc]]) => h("tr", {
        class: part === unit.best_part ? "best" : null },
      h("th", { scope: "row" }, partName(part)),
      h("td", { class: "wide" }, bar(iou, largest, prior)),
      h("td", { class: "number" }, h("b", {}, format(iou))),
      h("td", { class: "number" }, format(prior)),
      h("td", { class: "number" }, format(auc)))))),
    h("p", { class: "hint" }, "Overlap (IoU) with the part; the line and \u201cby place\u201d: with " +
      "the same part in another photo, which knowing the place alone would give."));
}

function peopleBars(unit) {
  if (!unit.people.length) return null;
  const people = [...unit.people].sort((a, b) => b[1] - a[1]);
  const largest = Math.max(...people.map((person) => person[1]));
  const costs = people.some((person) => person[2] !== null);
  const row = ([name, response, cost]) => h("tr", {},
    h("th", { scope: "row" }, name),
    h("td", { class: "wide" }, bar(response, largest)),
    h("td", { class: "number" }, format(response)),
    costs && h("td", { class: "number" }, format(cost, "percent")));
  const body = h("tbody", {}, people.slice(0, PEOPLE_SHOWN).map(row));
  const rest = people.slice(PEOPLE_SHOWN);
  const all = (event) => {
    body.append(...rest.map(row));
    event.target.remove();
  };
  return h("section", {},
    h("h2", {}, "People"),
    h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "person"),
        h("th", { scope: "col", class: "wide" }, h("span", { class: "hidden" }, "response")),
        h("th", { scope: "col", class: "number" }, "response"),
        costs && h("th", { scope: "col", class: "number" }, "cost"))),
      body),
    rest.length > 0 && h("button", { type: "button", class: "chip", onclick: all },
      `Show all ${people.length}`),
    costs && h("p", { class: "hint" }, "Cost: accuracy on that person lost without the unit."));
}
