// Small things that every view is made of: elements, numbers, pictures, bars.
"use strict";

const REPORT = window.REPORT;

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

// Routes: #/trained/stages.2/17?sort=iou&part=eyes
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

const ALL_PARTS = [...new Set(REPORT ? REPORT.networks.flatMap((network) =>
  network.layers.flatMap((layer) => layer.units.flatMap((unit) => Object.keys(unit.parts)))) : [])];

// A part's name behind a dot in its colour.
function partName(part) {
  if (!part) return h("span", { class: "part none" }, "no part");
  const number = ALL_PARTS.indexOf(part);
  return h("span", { class: "part" }, h("i", { class: `dot part-${number % 8}` }), part);
}

function crumbs(...steps) {
  return h("nav", { class: "crumbs", "aria-label": "You are here" },
    h("ol", {}, steps.map(([label, href]) =>
      h("li", {}, href ? h("a", { href }, label) : h("span", { "aria-current": "page" }, label)))));
}
