"use strict";
const run = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const PAUSE = 700; // milliseconds that a stop lasts while playing
const wholeRun = run.stops.length;
const forwardStops = run.stops.filter((stop) => !stop.backward).length;
const state = { stop: wholeRun, moment: firstChosen(), view: "both", timer: null };

// -- vertices, arrows and parameters -------------------------------------------------------------

const vertices = []; // { group, view, number, component, moment }
const arrows = []; // { group, tails, heads }
for (const view of ["circuit", "unfolded"]) {
  const figure = byId(view);
  if (!figure) continue;
  const ofVertex = [];
  for (const group of figure.querySelectorAll("[data-vertex]")) {
    const number = Number(group.dataset.vertex);
    const of = run[view][number];
    const vertex = { group, view, number, component: null, moment: null };
    if (of !== null) {
      vertex.component = view === "circuit" ? of : run.moments[of].component;
      vertex.moment = view === "circuit" ? null : of;
      onChoice(group, () => choose(vertex.moment ?? latest(vertex.component)));
    }
    vertices.push(vertex);
    ofVertex[number] = vertex;
  }
  const named = (numbers) => numbers.split(" ").map((number) => ofVertex[number]).filter(Boolean);
  for (const group of figure.querySelectorAll("[data-to]")) {
    arrows.push({ group, tails: named(group.dataset.from), heads: named(group.dataset.to) });
  }
}

const parameters = run.components.flatMap((component, number) => {
  if (component.kind !== "parameter" || component.moments.length === 0) return [];
  const shared = run.components.filter((c) => c.kind === "parameter" && c.label === component.label).length > 1;
  const name = shared && component.module ? `${component.module}.${component.label}` : component.label;
  const button = element("button", { type: "button", title: component.module }, ...typeset(name));
  button.addEventListener("click", () => choose(component.moments[0]));
  byId("parameters").append(button);
  return [{ group: button, component: number, moment: component.moments[0] }];
});
byId("parameters").hidden = parameters.length === 0;

function onChoice(group, action) {
  group.addEventListener("click", action);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
}

// -- what is known at a stop ---------------------------------------------------------------------

function isKnown(moment) {
  return run.moments[moment].at <= state.stop;
}

function hasGradient(moment) {
  const at = run.moments[moment].gradientAt;
  return at !== undefined && at !== null && at <= state.stop;
}

/** The moment of a component that ran last; in the backward pass, the one whose gradient came last. */
function latest(component) {
  const moments = run.components[component].moments;
  const last = (list, at) => list.reduce((best, m) => (best === null || at(m) >= at(best) ? m : best), null);
  const graded = moments.filter(hasGradient);
  if (state.stop > forwardStops && state.stop < wholeRun && graded.length) return last(graded, (m) => run.moments[m].gradientAt);
  return last(moments.filter(isKnown), (m) => run.moments[m].at) ?? moments[0];
}

function firstChosen() {
  const first = (test) => run.components.find((component) => component.moments.length && test(component));
  const any = first((c) => c.kind === "failed") ?? first((c) => c.kind === "variable") ?? first(() => true);
  return any ? any.moments[any.moments.length - 1] : null;
}

// -- painting ------------------------------------------------------------------------------------

function paint() {
  const stop = state.stop ? run.stops[state.stop - 1] : null;
  document.body.classList.toggle("backward", Boolean(stop && stop.backward));
  const lit = stop ?? { components: [], moments: [] };
  for (const vertex of vertices) paintVertex(vertex, lit);
  for (const parameter of parameters) paintVertex(parameter, lit);
  for (const arrow of arrows) paintArrow(arrow, stop);
  for (const view of ["circuit", "unfolded"]) bringIntoSight(byId(view));
  byId("stop").value = state.stop;
  byId("stop").setAttribute("aria-valuetext", stop ? `${passOf(stop)}: ${stop.text}` : "nothing has run");
  paintNow(stop);
  paintPanel();
  remember();
}

/** Scrolls a diagram that is wider than its place to what runs. */
function bringIntoSight(figure) {
  const running = figure?.querySelector("g.node.running");
  if (!running || figure.hidden) return;
  const [place, at] = [figure.querySelector(".scrolls"), running.getBoundingClientRect()];
  const { left, right } = place.getBoundingClientRect();
  if (at.left < left || at.right > right) place.scrollLeft += (at.left + at.right - left - right) / 2;
}

/** The forward pass runs along the arrows into what it computes; gradients come back along those that lead out of it. */
function paintArrow({ group, tails, heads }, stop) {
  const is = (name) => (end) => end.group.classList.contains(name);
  const brings = (head) => is("known")(head) || head.component === null; // an ellipsis does: its steps ran before
  const running = stop && stop.backward ? tails.some(is("running")) && heads.some(brings) : heads.some(is("running"));
  group.classList.toggle("running", running);
  group.classList.toggle("pending", [tails, heads].some((ends) => ends.length > 0 && ends.every(is("pending"))));
}

function paintVertex({ group, view, number, component, moment }, lit) {
  const classes = group.classList;
  const moments = component === null ? [] : moment === null ? run.components[component].moments : [moment];
  const inGap = component === null && view === "unfolded" && (lit.gaps ?? []).includes(number);
  const running = view === "circuit" ? lit.components.includes(component) : lit.moments.includes(moment);
  classes.toggle("running", inGap || (component !== null && running));
  classes.toggle("elided", inGap);
  classes.toggle("pending", moments.length > 0 && !moments.some(isKnown));
  classes.toggle("known", moments.some(hasGradient));
  const same = state.moment !== null && component === run.moments[state.moment].component;
  classes.toggle("same", same);
  classes.toggle("chosen", same && (moment === null || moment === state.moment));
  if (component !== null) group.setAttribute("aria-pressed", classes.contains("chosen"));
}

function passOf(stop) {
  const number = run.stops.indexOf(stop) + 1;
  return stop.backward
    ? `backward ${number - forwardStops} of ${wholeRun - forwardStops}`
    : `forward ${number} of ${forwardStops}`;
}

function paintNow(stop) {
  const now = byId("now");
  now.replaceChildren();
  if (!stop) {
    now.append(element("span", { class: "pass" }, "start"), element("span", { class: "what" }, "nothing has run yet"));
    return;
  }
  now.append(element("span", { class: "pass" }, passOf(stop)), element("span", { class: "what", title: stop.text }, ...typeset(stop.text)));
  const source = run.sources[stop.source];
  if (source) now.append(element("span", { class: "at" }, (stop.backward ? "derivative of " : "") + source.place));
}

// -- the panel of the chosen variable ------------------------------------------------------------

function paintPanel() {
  const panel = byId("panel");
  if (state.moment === null) {
    panel.replaceChildren(element("p", {}, "Nothing was recorded that has a value."));
    return;
  }
  const moment = run.moments[state.moment];
  const component = run.components[moment.component];
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const about = [component.module, component.kind === "variable" ? "" : component.kind, moment.value && size(moment.value)];
  panel.replaceChildren(
    element("h2", {}, ...typeset(moment.label)),
    element("p", { class: "about" }, about.filter(Boolean).join(" · ")),
    ...times(component),
    element("h3", {}, "Value"),
    ...(moment.value
      ? array("value", moment.value, isKnown(state.moment), moment.at)
      : [element("p", { class: "when" }, "None: this operation raised, and the run ended.")]),
    element("h3", {}, "Gradient ", ...typeset(moment.name ?? "")),
    ...(moment.gradient
      ? array("gradient", moment.gradient, hasGradient(state.moment), moment.gradientAt)
      : [element("p", { class: "when" }, noGradient(component))]),
    ...section("Equation", component.forward.map(formula)),
    ...section(component.local.length > 1 ? "Local derivatives" : "Local derivative", component.local.map(typed)),
    ...section("Gradient’s equation", component.backward.map(formula)),
    ...sourceOf(component),
  );
  if (focused) panel.querySelector(`[data-key="${focused}"]`)?.focus();
}

function size(value) {
  return (value.shape.length ? value.shape.join(" × ") : "a number") + ", " + value.dtype;
}

function noGradient(component) {
  if (wholeRun === forwardStops) return "None: there is no backward pass.";
  if (["input", "target"].includes(component.kind)) return "None: no gradient of an input is asked for.";
  return "None: nothing that is differentiated depends on it.";
}

/** Buttons for the steps of the component that are drawn. */
function times(component) {
  if (component.moments.length < 2) return [];
  const buttons = component.moments.map((number) => {
    const attributes = { type: "button", "aria-pressed": number === state.moment, "data-key": `moment${number}` };
    const button = element("button", attributes, ...typeset(run.moments[number].label));
    button.addEventListener("click", () => choose(number));
    return button;
  });
  return [element("div", { class: "times", role: "group", "aria-label": "Steps" }, ...buttons)];
}

function array(what, value, known, at) {
  const shown = [];
  if (value.stats) {
    const stats = Object.entries(value.stats).flatMap(([name, number]) => [element("dt", {}, name), element("dd", {}, number)]);
    shown.push(element("dl", { class: "stats" }, ...stats));
  }
  if (value.heat) shown.push(heat(value.heat));
  if (value.rows.length && value.rows[0].length) shown.push(element("div", { class: "scrolls" }, table(value)));
  if (value.cut) shown.push(element("p", { class: "when" }, "The first rows; the rest is not on this page."));
  const box = element("div", { id: what, class: known ? "" : "missing" }, ...shown);
  if (!at) return [box];
  const go = element("button", { type: "button", "data-key": `go${what}` }, passOf(run.stops[at - 1]));
  go.addEventListener("click", () => goTo(at));
  return [element("p", { class: "when" }, known ? "Computed at " : "Not known before ", go), box];
}

/** The elements, each on a ground as strong as it is large beside the others. */
function table(value) {
  const numbers = value.rows.flat().map(toNumber).filter(Number.isFinite);
  const largest = Math.max(...numbers.map(Math.abs), 0);
  const rows = value.rows.map((row, i) => {
    const cells = row.map((text) => {
      const cell = element("td", {}, text);
      const share = largest ? toNumber(text) / largest : 0;
      if (value.dtype.startsWith("float") && numbers.length > 1 && Number.isFinite(share)) cell.style.background = ground(share, 38);
      return cell;
    });
    const head = value.shape.length > 2 ? [element("th", { scope: "row" }, rowName(i, value.shape))] : [];
    return element("tr", {}, ...head, ...cells);
  });
  return element("table", {}, element("tbody", {}, ...rows));
}

function rowName(i, shape) {
  const index = [];
  for (const length of shape.slice(0, -1).reverse()) {
    index.unshift(i % length);
    i = Math.floor(i / length);
  }
  return `[${index.join(", ")}]`;
}

function heat(rows) {
  const middle = (run.levels.length - 1) / 2;
  const cells = rows.flatMap((row) => [...row].map((letter) => {
    const cell = element("i");
    cell.style.background = ground((run.levels.indexOf(letter) - middle) / middle, 100);
    return cell;
  }));
  const grid = element("div", { class: "heat", role: "img", "aria-label": "Heat map: blue above 0, red below" }, ...cells);
  grid.style.gridTemplateColumns = `repeat(${rows[0].length}, auto)`;
  return grid;
}

function ground(share, most) {
  return `color-mix(in srgb, var(--${share < 0 ? "grad" : "curve"}) ${Math.abs(share) * most}%, transparent)`;
}

function toNumber(text) {
  return Number(text.replace("−", "-"));
}

function section(heading, paragraphs) {
  return paragraphs.length ? [element("h3", {}, heading), ...paragraphs] : [];
}

/** MathML or text that the page was made with, escaped there. */
function formula(line) {
  const p = element("p", { class: "formula" });
  p.innerHTML = line;
  return p;
}

function typed(line) {
  return element("p", { class: "formula" }, ...typeset(line));
}

function sourceOf(component) {
  const source = run.sources[component.source];
  if (!source) return [];
  const lines = source.lines.map(([number, before, made, after]) =>
    element("div", {}, element("span", {}, number), element("code", {}, before, ...(made ? [element("mark", {}, made)] : []), after)));
  return [
    element("h3", {}, "Source"),
    element("p", { class: "about" }, element("code", {}, source.place), ` in ${source.function}`),
    element("div", { class: "source" }, ...lines),
  ];
}

/** A text with its subscripts below the line, as in the diagrams: W_xi. */
function typeset(text) {
  const parts = text.split(/((?:_[\p{Lu}\p{Ll}\p{Lo}\p{Nd}₀-₉]+)+)/u);
  const lowered = (part) => part.slice(1).replaceAll("_", ",").normalize("NFKD");
  return parts.map((part, i) => (i % 2 ? element("sub", {}, lowered(part)) : part));
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// -- going about ---------------------------------------------------------------------------------

function goTo(stop) {
  state.stop = Math.max(0, Math.min(wholeRun, stop));
  paint();
}

function choose(moment) {
  if (moment === null) return;
  state.moment = moment;
  paint();
}

function show(view) {
  const small = matchMedia("(max-width: 44rem)").matches;
  const views = byId("circuit") ? [small ? "unfolded" : "both", "both", "circuit", "unfolded"] : ["unfolded"];
  state.view = views.includes(view) ? view : views[0];
  for (const name of ["circuit", "unfolded"]) {
    if (byId(name)) byId(name).hidden = ![name, "both"].includes(state.view);
  }
  document.querySelector(`#views [value=${state.view}]`).checked = true;
  remember();
}

function play() {
  if (state.timer !== null) return pause();
  if (state.stop === wholeRun) goTo(0);
  byId("play").textContent = "❚❚ Pause";
  state.timer = setInterval(() => {
    goTo(state.stop + 1);
    if (state.stop === wholeRun) pause();
  }, PAUSE);
}

function pause() {
  clearInterval(state.timer);
  state.timer = null;
  byId("play").textContent = "▶ Play";
}

byId("play").addEventListener("click", play);
byId("back").addEventListener("click", () => { pause(); goTo(state.stop - 1); });
byId("on").addEventListener("click", () => { pause(); goTo(state.stop + 1); });
byId("stop").addEventListener("input", (event) => { pause(); goTo(Number(event.target.value)); });
byId("views").addEventListener("change", (event) => show(event.target.value));
byId("views").hidden = !byId("circuit");

document.addEventListener("keydown", (event) => {
  if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const to = { ArrowLeft: state.stop - 1, ArrowRight: state.stop + 1, Home: 0, End: wholeRun }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    pause();
    goTo(to);
  } else if (event.key === " " && !event.target.matches("button")) {
    event.preventDefault();
    play();
  }
});

// -- the place in the address, so that it can be sent to somebody ------------------------------------

function remember() {
  history.replaceState(null, "", `#stop=${state.stop}&moment=${state.moment ?? ""}&view=${state.view}`);
}

function recall() {
  const place = new URLSearchParams(location.hash.slice(1));
  const number = (name, most) => {
    const value = place.get(name);
    return value && /^\d+$/.test(value) && Number(value) <= most ? Number(value) : null;
  };
  state.moment = number("moment", run.moments.length - 1) ?? state.moment;
  show(place.get("view"));
  goTo(number("stop", wholeRun) ?? wholeRun);
}

byId("passes").children[0].style.flexGrow = forwardStops;
byId("passes").children[1].style.flexGrow = wholeRun - forwardStops;
byId("passes").children[1].hidden = wholeRun === forwardStops;
addEventListener("hashchange", recall);
recall();
