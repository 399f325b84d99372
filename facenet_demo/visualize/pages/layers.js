// The layers of each network, a layer and its units as tiles, and everything about one unit.
"use strict";

const NETWORKS = valuesOf("layers")?.networks ?? []; // the network itself first, then its controls

// #/layers/trained/stages.2/17
registerPage("layers", (values, { parts: [name, ...rest], query, change }) => {
  const network = name === undefined ? NETWORKS[0] : networkNamed(name);
  if (!network || rest.length === 0) return network && networkView(network);
  const layer = layerNamed(network, rest[0]);
  if (!layer || rest.length === 1) return layer && layerView(network, layer, query, change);
  const unit = unitNumbered(layer, rest[1]);
  return unit && unitView(network, layer, unit, query);
});

function networkNamed(name) {
  return NETWORKS.find((network) => network.name === name);
}

function layerNamed(network, name) {
  return network?.layers.find((layer) => layer.name === name);
}

function unitNumbered(layer, number) {
  return layer?.units.find((unit) => String(unit.unit) === String(number));
}

// Where a network, one of its layers or one of its units is shown.
function layersRoute(parts, query) {
  return route(["layers", ...parts], query);
}

function networkTabs(current, hrefOf) {
  if (NETWORKS.length < 2) return null;
  return h("nav", { class: "tabs", "aria-label": "Network" }, NETWORKS.map((network) =>
    h("a", { href: hrefOf(network), "aria-current": network.name === current ? "true" : null },
      network.name)));
}

// How much of the window one position of a layer sees, as a square within a square.
function fieldGlyph(field) {
  if (!REPORT.network) return null;
  const side = 36 * Math.min(1, field / REPORT.network.window);
  const start = 20 - side / 2;
  return svg("svg", { class: "field", viewBox: "0 0 40 40", "aria-hidden": "true" },
    svg("rect", { class: "window", x: 2, y: 2, width: 36, height: 36, rx: 3 }),
    svg("rect", { class: "seen", x: start, y: start, width: side, height: side, rx: 1.5 }));
}

function fieldText(field) {
  const whole = REPORT.network && field >= REPORT.network.window;
  return whole ? `sees the whole window (${field}\u00a0px)`
    : `sees ${field}\u00a0\u00d7\u00a0${field}\u00a0px`;
}

const ALL_PARTS = [...new Set(NETWORKS.flatMap((network) =>
  network.layers.flatMap((layer) => layer.units.flatMap((unit) => Object.keys(unit.parts)))))];

// A part's name behind a dot in its colour.
function partName(part) {
  if (!part) return h("span", { class: "part none" }, "no part");
  const number = ALL_PARTS.indexOf(part);
  return h("span", { class: "part" }, h("i", { class: `dot part-${number % 8}` }), part);
}

function layerFacts(layer) {
  const maps = layer.map_size &&
    `maps of ${layer.map_size[1]}\u00a0\u00d7\u00a0${layer.map_size[0]}`;
  const facts = [plural(layer.num_units, "unit"), maps, fieldText(layer.receptive_field)];
  return h("ul", { class: "facts" }, facts.filter(Boolean).map((fact) => h("li", {}, fact)));
}

// Scores that at least one of the units has, in the order of the report's list.
function scoresOf(units) {
  return Object.keys(REPORT.scores).filter((name) =>
    units.some((unit) => unit.scores[name] != null));
}

// The units of a layer that match the chosen part, in the chosen order.
function sortedUnits(layer, { sort = "", part = "" }) {
  const units = layer.units.filter((unit) => !part || unit.best_part === part);
  const byNumber = (a, b) => a.unit - b.unit;
  if (sort === "part") {
    const rank = (unit) => unit.best_part ? ALL_PARTS.indexOf(unit.best_part) : Infinity;
    const score = (unit) => unit.scores.iou ?? -Infinity;
    return units.sort((a, b) => difference(rank(a), rank(b)) ||
      difference(score(b), score(a)) || byNumber(a, b));
  }
  if (sort) {
    const score = (unit) => unit.scores[sort] ?? -Infinity;
    return units.sort((a, b) => difference(score(b), score(a)) || byNumber(a, b));
  }
  return units.sort(byNumber);
}

function difference(a, b) {
  return a === b ? 0 : a - b; // infinities have none
}

function unitTile(network, layer, unit, query) {
  const shown = query.sort in REPORT.scores ? query.sort : null;
  const label = `Unit ${unit.unit}${unit.best_part ? `, ${unit.best_part}` : ""}`;
  return h("a", { class: "tile", href: layersRoute([network.name, layer.name, unit.unit], query) },
    unit.pictures.length ? image(unit.pictures[0], `${label}: ${unit.pictures[0].caption}`)
      : h("span", { class: "no-picture" }, "no picture"),
    h("span", { class: "tile-line" },
      h("b", {}, unit.unit),
      shown && h("span", { class: "tile-score" },
        format(unit.scores[shown], measure(shown).style)),
      partName(unit.best_part)));
}

function sortSelect(units, query, change) {
  const option = (value, label) => h("option", { value, selected: value === (query.sort ?? "") },
    label);
  return h("label", { class: "sort" }, "Sort by ",
    h("select", { "data-control": "sort", onchange: (e) => change({ sort: e.target.value }) },
      option("", "number"), option("part", "part"),
      scoresOf(units).map((name) => option(name, measure(name).label))));
}

function partFilter(units, query, change) {
  const parts = ALL_PARTS.filter((part) => units.some((unit) => unit.best_part === part));
  if (!parts.length) return null;
  const chip = (part, label, count) => h("button", { type: "button", class: "chip",
    "data-part": part, "aria-pressed": String((query.part ?? "") === part),
    onclick: () => change({ part }) }, label, h("small", {}, count));
  return h("div", { class: "chips", role: "group", "aria-label": "Show units whose best part is" },
    chip("", "all", units.length),
    parts.map((part) => chip(part, partName(part),
      units.filter((unit) => unit.best_part === part).length)));
}

function unitGrid(network, layer, query) {
  const units = sortedUnits(layer, query);
  return [
    h("p", { class: "count", role: "status" },
      units.length === layer.units.length ? plural(units.length, "unit")
        : `${units.length} of ${plural(layer.units.length, "unit")}`,
      query.part && ` \u00b7 ${query.part}`),
    h("div", { class: "grid" }, units.map((unit) => unitTile(network, layer, unit, query))),
  ];
}

function scoreList(scores) {
  const given = Object.entries(scores).filter(([, value]) => value !== null);
  if (!given.length) return null;
  return h("dl", { class: "scores" }, given.map(([name, value]) => h("div", {},
    h("dt", {}, measureLink(name)), h("dd", {}, format(value, measure(name).style)))));
}

// The layers of one network in order, each with its best units.
function layerList(network) {
  return [
    networkTabs(network.name, (other) => layersRoute([other.name])),
    h("ol", { class: "layers" }, network.layers.map((layer) => h("li", { class: "layer" },
      h("div", { class: "layer-head" },
        fieldGlyph(layer.receptive_field),
        h("div", {},
          h("h3", {}, h("a", { href: layersRoute([network.name, layer.name]) }, layer.name)),
          layerFacts(layer))),
      h("div", { class: "strip-tiles" },
        bestUnits(layer).map((unit) => unitTile(network, layer, unit, {}))),
      h("p", { class: "more" }, h("a", { href: layersRoute([network.name, layer.name]) },
        `All of ${layer.name}`, h("span", { "aria-hidden": "true" }, " \u2192")))))),
  ];
}

function bestUnits(layer, count = 6) {
  return sortedUnits(layer, { sort: "iou" }).slice(0, count);
}

function networkView(network) {
  return [
    crumbs(["Report", "#/"], [capital(network.name)]),
    h("h1", { tabindex: -1 }, `The layers of the ${network.name} network`),
    layerList(network),
  ];
}

function layerView(network, layer, query, change) {
  const others = NETWORKS.filter((other) =>
    other !== network && layerNamed(other, layer.name));
  return [
    crumbs(["Report", "#/"], [capital(network.name), layersRoute([network.name])], [layer.name]),
    h("nav", { class: "tabs", "aria-label": "Layer" }, network.layers.map((other) =>
      h("a", { href: layersRoute([network.name, other.name], query),
        "aria-current": other === layer ? "true" : null }, other.name))),
    h("div", { class: "layer-head big" },
      fieldGlyph(layer.receptive_field),
      h("div", {},
        h("h1", { tabindex: -1 }, layer.name, network !== NETWORKS[0] &&
          h("small", {}, ` ${network.name}`)),
        layerFacts(layer))),
    scoreList(layer.scores),
    others.length > 0 && h("p", { class: "more" }, others.map((other) => h("a", {
      href: route(["compare", network.name, layer.name, other.name, layer.name], query) },
    `Side by side with the ${other.name} network`,
    h("span", { "aria-hidden": "true" }, " \u2192")))),
    figures(layer.pictures),
    h("h2", {}, "Its units"),
    layer.units.length > 0 ? [
      h("div", { class: "tools" }, sortSelect(layer.units, query, change),
        partFilter(layer.units, query, change)),
      unitGrid(network, layer, query),
    ] : h("p", {}, "No unit of this layer was looked at."),
  ];
}

const PEOPLE_SHOWN = 10;

function unitView(network, layer, unit, query) {
  const order = sortedUnits(layer, query);
  const place = order.indexOf(unit);
  const href = (other) => layersRoute([network.name, layer.name, other.unit], query);
  const back = layersRoute([network.name, layer.name], query);
  return [
    crumbs(["Report", "#/"], [capital(network.name), layersRoute([network.name])],
      [layer.name, back], [`unit ${unit.unit}`]),
    h("div", { class: "turn" },
      turn(order[place - 1], href, "prev", "\u2190 ", ""),
      h("a", { class: "back", href: back }, "All units"),
      turn(place >= 0 ? order[place + 1] : undefined, href, "next", "", " \u2192")),
    h("h1", { tabindex: -1 }, `Unit ${unit.unit}`, h("small", {}, ` of ${layer.name}`,
      network !== NETWORKS[0] && `, ${network.name}`)),
    h("p", { class: "lead" }, unitSentence(layer, unit)),
    figures(unit.pictures),
    network === NETWORKS[0] && !unit.pictures.some((picture) => picture.kind === "synthesis") &&
      h("p", { class: "hint" }, "Not among the units that were looked at closely: what excites it " +
        "was not computed, nor what the network loses without it."),
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
  const rank = (name) => {
    const values = layer.units.map((other) => other.scores[name]).filter((x) => x != null);
    return `${1 + values.filter((x) => x > unit.scores[name]).length} of ${values.length}`;
  };
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
        h("td", { class: "number soft" }, rank(name)))))));
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
