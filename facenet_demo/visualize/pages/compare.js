// Two layers side by side.
"use strict";

// #/compare/trained/stages.1/untrained/stages.1; without names, the pair that was chosen.
registerPage("compare", ({ pair }, { title, parts, query, change }) => {
  const [first, one, second, other] = parts.length === 4 ? parts : pair;
  const sides = [[first, one], [second, other]].map(([name, layer]) => {
    const network = networkNamed(name);
    return { network, layer: layerNamed(network, layer) };
  });
  if (!sides.every(({ layer }) => layer)) return undefined;
  return [heading(title, "Side by side"), sideBySide(sides, query, change)];
});

function sideBySide(sides, query, change) {
  const all = sides.flatMap(({ layer }) => layer.units);
  const choice = (side) => (event) => {
    const chosen = sides.map(({ network, layer }) => [network.name, layer.name]);
    chosen[side] = JSON.parse(event.target.value);
    change({}, chosen.flat());
  };
  return [
    h("div", { class: "tools" }, sortSelect(all, query, change), partFilter(all, query, change)),
    h("div", { class: "sides" }, sides.map(({ network, layer }, side) => h("section", {},
      h("h2", {}, h("a", { href: layersRoute([network.name, layer.name], query) }, layer.name),
        h("small", {}, network.name)),
      h("label", { class: "sort" }, h("span", { class: "hidden" }, `Layer ${side + 1}`),
        h("select", { "data-control": `side-${side}`, onchange: choice(side) },
          NETWORKS.map((n) => h("optgroup", { label: n.name }, n.layers.map((l) =>
            h("option", { value: JSON.stringify([n.name, l.name]),
              selected: n === network && l === layer }, l.name)))))),
      layerFacts(layer),
      scoreList(layer.scores),
      unitGrid(network, layer, query)))),
  ];
}
