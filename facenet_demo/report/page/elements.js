// What the script of a page works with: elements, numbers, pictures, bars.
"use strict";

const REPORT = window.REPORT;

// A page's script says how it is drawn: registerPage("brightness", (values, address) => [...]).
// It gives elements made by h, or undefined where the address names nothing. Of the address it is
// told: title, what the page is called; parts, what follows its name (#/layers/trained/stem has
// ["trained", "stem"]); query, {sort: "iou"} of ?sort=iou; and change, which shows the page with
// another query, change({sort: "auc"}), or other parts, change({}, ["trained", "stages.0"]).
const DRAW = new Map();

function registerPage(name, draw) {
  DRAW.set(name, draw);
}

// What a page's Python file gave; undefined if this report has no such page (yet).
function valuesOf(name) {
  return REPORT?.pages.find((page) => page.name === name)?.values;
}

// h("a", {href: "#/", class: "x", onclick: f}, "text", [more]) -> element.
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

// Addresses: #/layers/trained/stages.2/17?sort=iou&part=eyes
function route(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const path = parts.map((part) => encodeURIComponent(part)).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function plural(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}

function decimal(value, digits) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "\u2212");
}

function format(value, style = "number") {
  if (value === null || value === undefined) return "\u2013";
  return style === "percent" ? `${decimal(100 * value, 1)}\u00a0%` : decimal(value, 2);
}

function measure(name) {
  return REPORT.scores[name] ?? REPORT.measures[name] ?? { label: name, style: "number" };
}

// The measure's name, linked to what it means where the page can explain it.
function measureLink(name) {
  const known = name in REPORT.scores || name in REPORT.measures;
  const { label, explanation } = measure(name);
  if (!known) return label;
  return h("a", { class: "measure", href: route(["measures", name]), title: explanation }, label);
}

const SHARP = new Set(["kernel", "maps"]);

function image(picture, alt = picture.caption) {
  const element = h("img", {
    src: picture.file.split("/").map(encodeURIComponent).join("/"),
    alt, width: picture.width, height: picture.height, loading: "lazy", decoding: "async",
    class: SHARP.has(picture.kind) ? "sharp" : null,
  });
  element.style.setProperty("--width", `${picture.width}px`);
  return element;
}

// A picture with its caption; it opens alone, in full size, when it is clicked.
function figure(picture, className = "") {
  const shown = image(picture);
  return h("figure", { class: `picture ${className}` },
    h("a", { href: shown.getAttribute("src"), "aria-label": `Full size: ${picture.caption}` },
      shown),
    h("figcaption", {}, picture.caption));
}

function figures(pictures) {
  return pictures.length ? h("div", { class: "pictures" }, pictures.map((p) => figure(p))) : null;
}

// A horizontal bar from 0 to value; marks is where a line crosses it. All in units of largest.
function bar(value, largest, mark = null) {
  const share = (x) => Math.max(0, Math.min(100, (100 * x) / (largest || 1)));
  return svg("svg", { class: "bar-chart", viewBox: "0 0 100 10", preserveAspectRatio: "none",
    "aria-hidden": "true" },
  svg("rect", { class: "track", width: 100, height: 10 }),
  svg("rect", { class: "value", width: share(value ?? 0), height: 10 }),
  mark === null ? null : svg("rect", { class: "mark", x: Math.min(99, share(mark)), width: 1,
    height: 10 }));
}

function crumbs(...steps) {
  return h("nav", { class: "crumbs", "aria-label": "You are here" },
    h("ol", {}, steps.map(([label, href]) =>
      h("li", {}, href ? h("a", { href }, label) : h("span", { "aria-current": "page" }, label)))));
}

// How a page begins: the way back to the front page, what the page is called, its headline.
function heading(title, headline = title) {
  return [crumbs(["Report", "#/"], [title]), h("h1", { tabindex: -1 }, headline)];
}
