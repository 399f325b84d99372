// The user's photos: what the network answers, and why.
"use strict";

registerPage("photos", ({ photos }, { title }) => [
  heading(title),
  photos.length > 0
    ? h("p", { class: "lead" }, "What the network answers, where in the photo the answer comes " +
      "from, and which units spoke most for it.")
    : h("p", {}, "This report was made without photos of yours: name some with --images."),
  photos.map(photoCard),
]);

function photoCard(photo, number) {
  return h("article", { class: "photo", id: `photo-${number}` },
    h("h2", {}, photo.title),
    h("div", { class: "photo-top" },
      h("div", { class: "face" }, image(photo.photo)),
      h("div", {},
        photo.text && h("p", { class: "lead" }, photo.text),
        h("table", { class: "answers" },
          h("thead", { class: "hidden" }, h("tr", {}, h("th", { scope: "col" }, "person"),
            h("th", {}), h("th", { scope: "col" }, "probability"))),
          h("tbody", {}, photo.answers.map(([name, probability]) => h("tr", {},
            h("th", { scope: "row" }, name),
            h("td", { class: "wide" }, bar(probability, 1)),
            h("td", { class: "number" }, format(probability, "percent")))))))),
    figures(photo.pictures),
    photo.units.length > 0 && [
      h("h3", {}, "Units that spoke most for the answer"),
      h("ol", { class: "grid speakers" }, photo.units.map(speaker)),
    ]);
}

function speaker([layerName, number, contribution]) {
  const network = NETWORKS[0];
  const layer = layerNamed(network, layerName);
  const unit = unitNumbered(layer, number);
  return h("li", {},
    unit ? unitTile(network, layer, unit, {}) : h("span", { class: "tile no-picture" },
      `unit ${number}`),
    h("p", { class: "soft" }, `${layerName} ${contribution < 0 ? "" : "+"}`,
      format(contribution)));
}
