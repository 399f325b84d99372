// A layer and its units as tiles; two layers side by side.
"use strict";

function networkNamed(name) {
  return REPORT.networks.find((network) => network.name === name);
}

function layerNamed(network, name) {
  return network?.layers.find((layer) => layer.name === name);
}

function networkTabs(current, hrefOf) {
  if (REPORT.networks.length < 2) return null;
  return h("nav", { class: "tabs", "aria-label": "Network" }, REPORT.networks.map((network) =>
    h("a", { href: hrefOf(network), "aria-current": network.name === current ? "true" : null },
      network.name)));
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
  return h("a", { class: "tile", href: route([network.name, layer.name, unit.unit], query) },
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

function layerView(network, layer, query, change) {
  const others = REPORT.networks.filter((other) =>
    other !== network && layerNamed(other, layer.name));
  return [
    crumbs(["Report", "#/"], [capital(network.name), route([network.name])], [layer.name]),
    h("nav", { class: "tabs", "aria-label": "Layer" }, network.layers.map((other) =>
      h("a", { href: route([network.name, other.name], query),
        "aria-current": other === layer ? "true" : null }, other.name))),
    h("div", { class: "layer-head big" },
      fieldGlyph(layer.receptive_field),
      h("div", {},
        h("h1", { tabindex: -1 }, layer.name, network !== REPORT.networks[0] &&
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

function compareView(sides, query, change) {
  const all = sides.flatMap(({ layer }) => layer.units);
  const choice = (side) => (event) => {
    const chosen = sides.map(({ network, layer }) => [network.name, layer.name]);
    chosen[side] = JSON.parse(event.target.value);
    change({}, ["compare", ...chosen.flat()]);
  };
  return [
    crumbs(["Report", "#/"], ["Compare"]),
    h("h1", { tabindex: -1 }, "Side by side"),
    h("div", { class: "tools" }, sortSelect(all, query, change), partFilter(all, query, change)),
    h("div", { class: "sides" }, sides.map(({ network, layer }, side) => h("section", {},
      h("h2", {}, h("a", { href: route([network.name, layer.name], query) }, layer.name),
        h("small", {}, network.name)),
      h("label", { class: "sort" }, h("span", { class: "hidden" }, `Layer ${side + 1}`),
        h("select", { "data-control": `side-${side}`, onchange: choice(side) },
          REPORT.networks.map((n) => h("optgroup", { label: n.name }, n.layers.map((l) =>
            h("option", { value: JSON.stringify([n.name, l.name]),
              selected: n === network && l === layer }, l.name)))))),
      layerFacts(layer),
      scoreList(layer.scores),
      unitGrid(network, layer, query)))),
  ];
}
