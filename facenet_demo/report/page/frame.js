// What frames the pages: the head of the front page, the navigation, what stands below.
"use strict";

function masthead() {
  const { network, data, notes, title } = REPORT;
  const stats = [
    network?.test_accuracy != null && [format(network.test_accuracy, "percent"),
      "of test photos named rightly"],
    network && [network.num_people.toLocaleString("en"), "people it can name"],
    network && [short(network.num_weights), "weights"],
    data && [data.num_photos.toLocaleString("en"), "photos it was examined with"],
  ].filter(Boolean);
  return h("section", { class: "masthead" },
    h("p", { class: "kicker" }, "What a face network learned"),
    h("h1", { tabindex: -1 }, title),
    network && h("p", { class: "standfirst" },
      `What each layer and unit of this ${network.name} responds to, a network that is shown ` +
      `windows of ${network.window} \u00d7 ${network.window} pixels`,
      data ? `, examined on photos of ${data.title}.` : "."),
    h("dl", { class: "stats" }, stats.map(([value, label]) =>
      h("div", {}, h("dt", {}, label), h("dd", {}, value)))),
    notes.length > 0 && h("aside", { class: "notes" },
      h("h2", {}, "Before you read on"),
      h("ul", {}, notes.map((note) => h("li", {}, note)))),
    network && Object.keys(network.settings).length > 0 && h("details", { class: "settings" },
      h("summary", {}, "Settings of the network"),
      h("dl", {}, Object.entries(network.settings).map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))))));
}

function short(count) {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)} million`;
  return count.toLocaleString("en");
}

function unfinished() {
  return h("p", { class: "banner", role: "alert" }, h("strong", {}, "This report is unfinished. "),
    "It is still being made, or was stopped; reload it to see what there is by now, or make it " +
    "again with --overwrite.");
}

function navigation(parts) {
  const entries = REPORT.pages.map(({ name, title }, number) =>
    [title, number === 0 ? "#/" : route([name]), name === (parts[0] ?? REPORT.pages[0].name)]);
  entries.push(["Measures", route(["measures"]), parts[0] === "measures"]);
  const nav = document.getElementById("nav");
  nav.replaceChildren(...entries.map(
    ([label, href, current]) => h("a", { href, "aria-current": current ? "page" : null }, label)));
  const current = nav.querySelector("[aria-current]");
  // Not scrollIntoView, after which Chromium's Tab key goes on from here.
  if (current) nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

function footer() {
  const { data } = REPORT;
  return [
    data && h("section", {}, h("h2", {}, "The photos"),
      h("p", {}, [data.title, data.credit].filter(Boolean).join(". ")),
      data.terms && h("p", {}, data.terms)),
    h("section", {}, h("h2", {}, "How it was made"),
      h("p", {}, "By facenet_demo, from one network. The same photos, network and seed " +
        "give the same numbers. Synthesised images and attribution maps illustrate; they prove " +
        "nothing. ", h("a", { href: route(["measures"]) }, "What the numbers mean."))),
    h("section", {}, h("h2", {}, "What it is not for"),
      h("p", {}, "A face classifier errs, and errs more for some people than for others. Do not " +
        "use it to identify people without their consent, to decide about anybody, or as a " +
        "lock.")),
  ];
}
