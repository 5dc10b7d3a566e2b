
// Playing: the forward pass and then the backward pass, one arrow a step; and the view.

const graph = readGraph(JSON.parse(element("graph").textContent));
const view = { x: 0, y: 0, scale: 1 };
const PAUSE = 900; // milliseconds between steps
let steps = [];
let step = 0; // how many of them were made
let timer = null;

// An op takes its inputs one after the other, and gives them back their gradients likewise.
function listSteps() {
  const { lines } = graph;
  const back = [...lines].sort((one, other) => other.target.number - one.target.number);
  steps = [...lines.map((line) => ({ line, pass: "forward" })),
           ...back.map((line) => ({ line, pass: "gradient" }))];
  element("step").max = steps.length;
}

function goTo(number) {
  step = Math.min(Math.max(number, 0), steps.length);
  const last = steps[step - 1];
  const done = { forward: new Set(), gradient: new Set() };
  for (const { line, pass } of steps.slice(0, step)) done[pass].add(line);
  for (const line of graph.lines) {
    const { classList } = line.element;
    classList.toggle("waiting", !done.forward.has(line));
    for (const pass of ["forward", "gradient"]) {
      const isNow = step < steps.length && last?.line === line && last.pass === pass;
      classList.toggle(`now-${pass}`, isNow);
      show(line, pass, done[pass].has(line));
    }
  }
  for (const box of graph.boxes.filter(isShown)) {
    show(box, "gradient", step > steps.length / 2 && box.uses.every((line) => done.gradient.has(line)));
  }
  tell(last);
}

function show(thing, pass, isKnown) {
  for (const line of thing.element.querySelectorAll(`text.${pass}`)) line.classList.toggle("shown", isKnown);
}

function tell(last) {
  const half = steps.length / 2;
  element("step").value = step;
  element("track").className = step <= half ? "forward" : "gradient";
  const passed = step <= half ? `forward ${step}` : `backward ${step - half}`;
  element("step").setAttribute("aria-valuetext", `${passed} of ${half}`);
  element("count").textContent = `${step} / ${steps.length}`;
  element("caption").textContent = step === 0 ? "Press play, or →, to compute the value."
    : step === steps.length ? "All values and gradients. Point at an op, or move to it with Tab."
    : sentence(last);
}

const brief = ({ shape, sentence }) => shape ?? sentence;

function sentence({ line, pass }) {
  const { source, target, end, inside, local, downstream, summed } = line;
  const from = nameOf(source), to = inside ? end.label : target.label;
  const back = brief(downstream);
  if (pass === "forward") {
    const value = brief(source.value);
    if (target.kind === "output") return `forward: ${target.name} = ${value}`;
    const isNamed = source.called || source.kind !== "op";
    return `forward: ${isNamed ? `${from} = ${value}` : `${value}, the output of ${from},`} goes into ${to}`;
  }
  if (target.kind === "output") return `backward: begins with ${back}, the gradient of ${to} itself`;
  if (inside) return `backward: from ${to} to ${from}: downstream ${back}`;
  const through = local ? `× local ${brief(local)}` : "through a linear map";
  return `backward: from ${to} to ${from}: upstream ${brief(target.gradient)} ` +
    `${through}${summed ? ", summed," : ""} = downstream ${back}`;
}

function play(on) {
  clearInterval(timer);
  timer = null;
  const button = element("play");
  button.textContent = on ? "❚❚" : "▶";
  button.setAttribute("aria-label", on ? "pause" : "play");
  if (!on) return;
  if (step === steps.length) goTo(0);
  timer = setInterval(() => {
    move(1);
    if (step === steps.length) play(false);
  }, PAUSE);
}

function move(by) {
  goTo(step + by);
  if (step > 0 && step < steps.length) reveal(steps[step - 1].line.label);
}

// Folding

function fold(frames, folded) {
  const focused = [...graph.frames, ...graph.boxes].find((thing) => thing.element === document.activeElement);
  const made = steps[step - 1];
  const isAtEnd = step === steps.length;
  const [{ x, y, width }] = frames;
  for (const frame of frames) frame.folded = folded ?? !frame.folded;
  hideCard();
  redraw();
  // What was clicked stays where it was.
  const shift = x - width / 2 - frames[0].x + frames[0].width / 2;
  setView(view.x + shift * view.scale, view.y + (y - frames[0].y) * view.scale, view.scale);
  // The last of the new steps that was already made.
  const isMade = ({ line, pass }) => made && pass === made.pass && (pass === "forward"
    ? line.number <= made.line.number : line.target.number >= made.line.target.number);
  const begun = made?.pass === "gradient" ? steps.length / 2 : 0;
  goTo(isAtEnd ? steps.length : Math.max(steps.findLastIndex(isMade) + 1, begun));
  if (focused) shownFor(focused).element.focus({ preventScroll: true });
}

function redraw() {
  arrange(graph);
  drawGraph(graph, element("scene"));
  for (const thing of [...graph.frames, ...graph.boxes]) if (isShown(thing)) listen(thing);
  listSteps();
  const isAny = graph.frames.some((frame) => frame.folded);
  element("fold").textContent = isAny ? "unfold all" : "fold all";
}

function listen(thing) {
  const { element: made, kind } = thing;
  // An open frame is all around: its name is what to point at.
  const pointed = kind === "frame" && !thing.folded ? made.querySelector("text") : made;
  pointed.addEventListener("pointerenter", () => showCard(thing));
  pointed.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType !== "touch") hideCard(); });
  made.addEventListener("focus", () => {
    if (!made.matches(":focus-visible")) return;
    reveal(thing);
    showCard(thing);
  });
  made.addEventListener("blur", hideCard);
  if (kind !== "frame") return;
  made.addEventListener("click", () => { if (!hasMoved) fold([thing]); });
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    fold([thing]);
  });
}

// The view

function setView(x, y, scale) {
  Object.assign(view, { x, y, scale: Math.min(Math.max(scale, 0.02), 4) });
  element("scene").setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
}

function zoom(factor, x = element("stage").clientWidth / 2, y = element("stage").clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, 0.02), 4);
  const ratio = scale / view.scale;
  setView(x - (x - view.x) * ratio, y - (y - view.y) * ratio, scale);
}

// Show all; at first not so small that it cannot be read, even if only the beginning is seen.
function fit(least = 0) {
  const { clientWidth: width, clientHeight: height } = element("stage");
  const { inner, lower } = graph.whole;
  const across = Math.max((width - 48) / inner, least), down = Math.max((height - 48) / lower, least / 2);
  const scale = Math.max(Math.min(across, down, 1.75), 0.02);
  const middle = (room, size) => Math.max((room - size * scale) / 2, 24);
  setView(middle(width, inner), (height - lower * scale) / 2, scale);
}

// Bring a thing into view, if it is not there.
function reveal({ x, y, width, height }) {
  const stage = element("stage");
  const shift = (middle, size, room, offset) => {
    const low = (middle - size / 2) * view.scale + offset, high = (middle + size / 2) * view.scale + offset;
    return low < 20 || high > room - 20 ? room / 2 - middle * view.scale : offset;
  };
  setView(shift(x, width, stage.clientWidth, view.x), shift(y, height, stage.clientHeight, view.y), view.scale);
}

let dragged = null;
let hasMoved = false;
const fingers = new Map(); // or mouse: where each pointer is that is down

// Where two fingers are, and how far apart.
function pinch() {
  const [one, other] = fingers.values();
  const { left, top } = element("stage").getBoundingClientRect();
  const x = (one.clientX + other.clientX) / 2 - left, y = (one.clientY + other.clientY) / 2 - top;
  return { x, y, apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) };
}

function pinched(pointer, place) {
  const before = pinch();
  fingers.set(pointer, place);
  const now = pinch();
  if (before.apart > 0) zoom(now.apart / before.apart, before.x, before.y);
  setView(view.x + now.x - before.x, view.y + now.y - before.y, view.scale);
}

function dragging() {
  const picture = element("picture");
  picture.addEventListener("pointerdown", ({ clientX, clientY, button, pointerId, target }) => {
    if (button === 0) dragged = { x: clientX - view.x, y: clientY - view.y, clientX, clientY };
    hasMoved = fingers.size > 0;
    fingers.set(pointerId, { clientX, clientY });
    // A card that a finger opened stays until the next touch.
    if (hasMoved || !target.closest(".box, .frame")) hideCard();
  });
  window.addEventListener("pointermove", ({ clientX, clientY, pointerId }) => {
    if (fingers.size === 2 && fingers.has(pointerId)) return pinched(pointerId, { clientX, clientY });
    if (!dragged || fingers.size > 1) return;
    if (Math.hypot(clientX - dragged.clientX, clientY - dragged.clientY) > 4) hasMoved = true;
    if (!hasMoved) return;
    picture.classList.add("dragged");
    hideCard();
    setView(clientX - dragged.x, clientY - dragged.y, view.scale);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    window.addEventListener(end, ({ pointerId }) => {
      fingers.delete(pointerId);
      dragged = null;
      picture.classList.remove("dragged");
    });
  }
  element("stage").addEventListener("wheel", (event) => {
    event.preventDefault();
    hideCard();
    const { left, top } = element("stage").getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 500), event.clientX - left, event.clientY - top);
  }, { passive: false });
}

const KEYS = {
  ArrowRight: () => move(1),
  ArrowLeft: () => move(-1),
  Home: () => goTo(0),
  End: () => goTo(steps.length),
  " ": () => play(!timer),
  "+": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: () => fit(),
  Escape: hideCard,
};

function pressing() {
  document.addEventListener("keydown", (event) => {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    const isOwn = target.closest("button") && key === " "; // which a button answers itself
    if (ctrlKey || metaKey || altKey || isOwn || !KEYS[key]) return;
    event.preventDefault();
    if (key.startsWith("Arrow") || key === "Home" || key === "End") play(false);
    KEYS[key]();
  });
  const press = (id, action) => element(id).addEventListener("click", action);
  const stopped = (action) => () => { play(false); action(); };
  press("first", stopped(() => goTo(0)));
  press("back", stopped(() => move(-1)));
  press("next", stopped(() => move(1)));
  press("play", () => play(!timer));
  press("in", () => zoom(1.25));
  press("out", () => zoom(0.8));
  press("fit", () => fit());
  press("fold", () => {
    fold(graph.frames, !graph.frames.some((frame) => frame.folded));
    fit(0.7);
  });
  element("step").addEventListener("input", stopped(() => goTo(Number(element("step").value))));
}

function start() {
  element("fold").hidden = element("modules").hidden = graph.frames.length === 0;
  redraw();
  fit(0.7);
  goTo(steps.length);
  dragging();
  pressing();
}

start();
