// Which view the address names, and how one moves between views.
"use strict";

const main = document.getElementById("main");
const places = new Map(); // address -> how far it was scrolled when it was left
let shown = null; // the address that is shown
let followed = false; // a link was followed, not the browser's back or forward

function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path ? path.split("/").map(decoded) : [],
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// The view for an address, or undefined where there is nothing of that name.
function view({ parts, query }) {
  const [first, ...rest] = parts;
  const change = (changes, path = parts) => replace(route(path, { ...query, ...changes }));
  if (first === undefined) return overviewView();
  if (first === "photos") return photosView();
  if (first === "measures") return measuresView();
  if (first === "compare") {
    const sides = comparison(rest);
    return sides && compareView(sides, query, change);
  }
  const network = networkNamed(first);
  if (!network || rest.length === 0) return network && networkView(network);
  const layer = layerNamed(network, rest[0]);
  if (!layer || rest.length === 1) return layer && layerView(network, layer, query, change);
  const unit = layer.units.find((one) => String(one.unit) === rest[1]);
  return unit && unitView(network, layer, unit, query);
}

// [network, layer, network, layer] -> the two sides; without names a telling pair.
function comparison(names) {
  const [first, second = first] = REPORT.networks;
  if (!first?.layers.length) return undefined;
  const middle = first.layers[Math.floor(first.layers.length / 2)];
  const chosen = names.length === 4 ? names : [first.name, middle.name, second.name,
    (second === first ? first.layers.at(-1) : layerNamed(second, middle.name) ??
      second.layers[0]).name];
  const sides = [0, 2].map((i) => {
    const network = networkNamed(chosen[i]);
    return { network, layer: layerNamed(network, chosen[i + 1]) };
  });
  return sides.every(({ layer }) => layer) ? sides : undefined;
}

// The same view with another order or filter: no new step in the browser's history.
function replace(hash) {
  const control = document.activeElement?.dataset ?? {};
  history.replaceState(null, "", hash);
  const scrolled = scrollY;
  show();
  scrollTo(0, scrolled);
  const name = control.control ? "control" : "part";
  [...main.querySelectorAll(`[data-${name}]`)]
    .find((element) => element.dataset[name] === control[name])?.focus();
}

function show() {
  const address = parse(location.hash);
  const missing = [crumbs(["Report", "#/"]), h("h1", { tabindex: -1 }, "Nothing of that name"),
    h("p", {}, `This report has no page for ${location.hash}. `,
      h("a", { href: "#/" }, "Back to its front page."))];
  const content = (view(address) ?? missing);
  main.replaceChildren(h("div", {}, !REPORT.finished && unfinished(), content));
  shown = location.hash;
  navigation(address.parts);
  const heading = main.querySelector("h1").textContent;
  document.title = heading === REPORT.title ? heading : `${heading} \u00b7 ${REPORT.title}`;
  return address;
}

function unfinished() {
  return h("p", { class: "banner", role: "alert" }, h("strong", {}, "This report is unfinished. "),
    "It is still being made, or was stopped; reload it to see what there is by now, or make it " +
    "again with --overwrite.");
}

function arrive() {
  if (shown !== null) places.set(shown, scrollY);
  const { parts } = show();
  const target = parts[0] === "measures" && document.getElementById(parts[1]);
  (target || main.querySelector("h1")).focus({ preventScroll: true });
  if (target) target.scrollIntoView();
  else scrollTo(0, followed ? 0 : places.get(location.hash) ?? 0);
  followed = false;
}

function navigation(parts) {
  const first = parts[0];
  const isLayer = networkNamed(first) !== undefined;
  const entries = [
    ["The progression", "#/", first === undefined],
    REPORT.networks.length > 0 && ["Layers", route([REPORT.networks[0].name]), isLayer],
    REPORT.networks.length > 0 && ["Compare", route(["compare"]), first === "compare"],
    ["Your photos", route(["photos"]), first === "photos"],
    ["Measures", route(["measures"]), first === "measures"],
  ];
  const nav = document.getElementById("nav");
  nav.replaceChildren(...entries.filter(Boolean).map(
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

document.addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#/']")) followed = true;
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
// The arrow keys turn from unit to unit.
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest("input, select, textarea, .scroll")) return;
  const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = rel && main.querySelector(`a[rel=${rel}]`);
  if (link) link.click();
});
addEventListener("beforeprint", () => {
  for (const details of main.querySelectorAll("details.numbers")) details.open = true;
  for (const picture of main.querySelectorAll("img")) picture.loading = "eager";
});

if (REPORT) {
  document.getElementById("footer").append(...footer().filter(Boolean));
  addEventListener("hashchange", arrive);
  show();
  if (location.hash.startsWith("#/measures/")) arrive();
} else {
  main.append(h("p", { class: "banner", role: "alert" },
    "data.js, which lies beside this page and holds its figures, is missing or broken."));
}
