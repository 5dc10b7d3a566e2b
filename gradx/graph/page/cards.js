
// The card of an op: what went forward, and for each input upstream × local = downstream.

function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawBars(heights) {
  const made = svg("svg", { class: "bars", viewBox: `0 0 ${heights.length} 10`,
                            preserveAspectRatio: "none", "aria-hidden": true });
  Array.from(heights, Number).forEach((height, i) =>
    made.append(svg("rect", { x: i + 0.06, y: 9 - height, width: 0.88, height: height + 0.4 })));
  return made;
}

// What is in an array: the numbers if they are few, else in short.
function numbers({ shape, mean, least, greatest, bars: heights, areEqual, sentence }) {
  if (!shape) return [sentence];
  const lines = (words) => words.map((line) => html("small", {}, line));
  if (areEqual) return lines([shape, `all ${mean}`]);
  return [...lines([shape, `mean ${mean}`]), ...(heights ? [drawBars(heights)] : []),
          ...lines([`${least} to ${greatest}`])];
}

function cardOf(thing) {
  if (thing.kind === "frame") return frameCard(thing);
  const { kind, name, called, value, gradient, from } = thing;
  const isOp = kind === "op";
  const sum = from.length > 1 ? `, the sum over ${from.length} uses` : "";
  const list = html("dl", {},
    html("div", {}, html("dt", {}, isOp ? `output ${called}` : "value"),
         html("dd", { class: "forward" }, ...numbers(value))),
    html("div", {}, html("dt", {}, isOp ? `upstream gradient${sum}` : `gradient${sum}`),
         html("dd", { class: "gradient" }, ...numbers(gradient))));
  const title = html("h2", {}, ["input", "parameter"].includes(kind) ? `${kind} ${name}` : name);
  return isOp ? [title, list, inputTable(thing)] : [title, list];
}

function inputTable({ gradient, into }) {
  const head = ["input", "value", "upstream", "", "local", "", "downstream"];
  const table = html("table", {}, html("tr", {}, ...head.map((words) => html("th", {}, words))));
  const upstream = gradient.shape ? gradient.shape : gradient.sentence;
  for (const { source, place, local, downstream, summed } of into) {
    const cell = (kind, ...children) => html("td", { class: kind }, ...children);
    table.append(html("tr", {},
      cell("", `${place}: ${source.called || source.label}`),
      cell("forward", ...numbers(source.value)),
      cell("gradient", upstream),
      cell("sign", local ? "×" : "→"),
      cell("", ...(local ? numbers(local) : ["a linear map"])),
      cell("sign", summed ? "summed =" : local ? "=" : "→"),
      cell("gradient", ...numbers(downstream))));
  }
  return table;
}

function frameCard(frame) {
  const within = (thing) => thing.frame === frame || (thing.frame && within(thing.frame));
  const held = graph.boxes.filter(within);
  const count = (kind) => held.filter((box) => box.kind === kind).length;
  const words = `${count("op")} ops, ${count("parameter")} parameters; ` +
    `click to ${frame.folded ? "unfold" : "fold"}`;
  return [html("h2", {}, frame.path || frame.label), words];
}

function showCard(thing) {
  const isOpen = thing.kind === "frame" && !thing.folded;
  for (const { element: made, start, end } of graph.lines) {
    made.classList.toggle("touched", !isOpen && (start === thing || end === thing));
  }
  const card = element("card");
  card.replaceChildren(...cardOf(thing));
  card.hidden = false;
  putCard(card, isOpen ? thing.element.querySelector("text") : thing.element);
}

// Put the card near a thing, and where it hides least of it and of the numbers around it.
function putCard(card, near) {
  const { left, right, top, bottom } = near.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const stage = element("stage").getBoundingClientRect();
  const within = (value, low, high) => Math.max(low, Math.min(value, high));
  const texts = document.querySelectorAll(".touched text");
  const kept = [near, ...texts].map((one) => one.getBoundingClientRect());
  const middle = (left + right - width) / 2;
  const places = [[middle, bottom + 12], [middle, top - 12 - height], [left, stage.bottom - height - 10],
                  [left, stage.top + 10], [right + 12, bottom + 12], [left - 12 - width, bottom + 12]];
  const hidden = ([x, y]) => kept.reduce((area, one) => area +
    Math.max(0, Math.min(x + width, one.right) - Math.max(x, one.left)) *
    Math.max(0, Math.min(y + height, one.bottom) - Math.max(y, one.top)), 0);
  const [[x, y]] = places
    .map(([x, y]) => [within(x, 10, innerWidth - width - 10), within(y, 10, innerHeight - height - 10)])
    .sort((one, other) => hidden(one) - hidden(other));
  card.style.left = `${x}px`;
  card.style.top = `${y}px`;
}

function hideCard() {
  element("card").hidden = true;
  for (const line of graph.lines) line.element.classList.remove("touched");
}
