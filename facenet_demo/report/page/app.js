// Which page the address names, and how one moves between pages.
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

// What stands at an address, or undefined where there is nothing of that name.
function view({ parts, query }) {
  const [name = REPORT.pages[0]?.name, ...rest] = parts;
  if (name === undefined) return masthead(); // no page is made yet
  if (name === "measures") return measuresView();
  const page = REPORT.pages.find((one) => one.name === name);
  if (!page) return undefined;
  const { title, script, values } = page;
  if (!DRAW.has(name)) return [heading(title), undrawn(name, script)];
  const change = (changes, path = rest) =>
    replace(route([name, ...path], { ...query, ...changes }));
  return DRAW.get(name)(values, { title, parts: rest, query, change });
}

function undrawn(name, script) {
  return h("p", { class: "banner", role: "alert" },
    `${script}, which is to draw this page, is broken or has no registerPage("${name}", ...).`);
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
  const headline = main.querySelector("h1")?.textContent ?? REPORT.title;
  document.title = headline === REPORT.title ? headline : `${headline} \u00b7 ${REPORT.title}`;
  return address;
}

function arrive() {
  if (shown !== null) places.set(shown, scrollY);
  const { parts } = show();
  const target = parts[0] === "measures" && document.getElementById(parts[1]);
  (target || main.querySelector("h1") || main).focus({ preventScroll: true });
  if (target) target.scrollIntoView();
  else scrollTo(0, followed ? 0 : places.get(location.hash) ?? 0);
  followed = false;
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
