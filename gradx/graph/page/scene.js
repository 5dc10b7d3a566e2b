
// The picture: SVG elements for what is seen, made anew when something folds.
//
// Texts go in as text, never as markup.

const element = (id) => document.getElementById(id);

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const text = (x, y, words, kind) => svg("text", { x, y, class: kind }, words);
const stack = (x, y, lines, kind) => lines.map((line, i) => text(x, y + LINE * i, line, kind));

function drawGraph(graph, scene) {
  scene.replaceChildren(
    ...graph.frames.filter(isShown).map(drawFrame),
    ...graph.lines.map(drawLine),
    ...graph.boxes.filter(isShown).map(drawBox));
}

function drawFrame(frame) {
  const { x, y, width, height, folded, label } = frame;
  const top = y - height / 2;
  frame.element = svg("g", {
    class: folded ? "frame folded" : "frame", tabindex: 0, role: "button",
    "aria-expanded": !folded, "aria-label": `module ${frame.path || label}`,
  },
  svg("rect", { x: x - width / 2, y: top, width, height, rx: 8 }),
  text(x - width / 2 + 10, folded ? y + 4 : top + 17, `${folded ? "▸" : "▾"} ${label}`, "title"));
  return frame.element;
}

function drawBox(box) {
  const { x, y, kind, half, width, height, label, total, isRound } = box;
  box.element = svg("g", { class: `box ${kind}`, tabindex: 0, role: "img", "aria-label": inWords(box) });
  // The whole can be pointed at.
  box.element.append(svg("rect", { class: "area", x: x - width / 2, y: y - height / 2, width, height }));
  if (isRound) box.element.append(svg("circle", { cx: x, cy: y, r: RADIUS, class: "shape" }));
  else if (kind !== "input" && kind !== "output") {
    box.element.append(
      svg("rect", { x: x - half, y: y - 13, width: 2 * half, height: 26, rx: 6, class: "shape" }));
  }
  box.element.append(text(x, y + 5, label, "name"), ...stack(x, y + RADIUS + LINE - 2, total, "gradient"));
  return box.element;
}

function drawLine(line) {
  const { data, start, end } = lineOf(line);
  const { label: { x, y }, above, downstream } = line;
  line.element = svg("g", { class: "arrow" },
    svg("path", { d: data }),
    svg("path", { d: `M${end.x} ${end.y}l-7 -3.5v7z`, class: "head" }),
    svg("path", { d: `M${start.x} ${start.y}l7 -3.5v7z`, class: "head back" }), // of the way back
    ...stack(x, y - 4 - LINE * (above.length - 1), above, "forward"),
    ...stack(x, y + 12, downstream.lines, "gradient"));
  return line.element;
}

const nameOf = ({ kind, called, name, label }) => called || (kind === "op" ? label : name);

// All that the card of a box shows, for who listens.
function inWords({ kind, name, called, value, gradient, into }) {
  if (kind === "output") return `result ${name}: ${value.sentence}`;
  if (kind !== "op") return `${kind} ${name}: value ${value.sentence}, gradient ${gradient.sentence}`;
  const inputs = into.map(({ source, local, downstream, place, summed }) =>
    `input ${place}, ${nameOf(source)}: value ${source.value.sentence}, ` +
    `local ${local ? local.sentence : "a linear map"}, ` +
    `downstream ${downstream.sentence}${summed ? ", summed" : ""}`);
  return `${name}: output ${called ? `${called} = ` : ""}${value.sentence}, ` +
    `upstream ${gradient.sentence}; ${inputs.join("; ")}`;
}
