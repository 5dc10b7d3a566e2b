
// The card of an op: what went forward, and for each input upstream × local = downstream.

function html(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function bars(heights) {
  const made = svg("svg", { class: "bars", viewBox: `0 0 ${heights.length} 10`,
                            preserveAspectRatio: "none", "aria-hidden": true });
  Array.from(heights, Number).forEach((height, i) =>
    made.append(svg("rect", { x: i + 0.06, y: 9 - height, width: 0.88, height: height + 0.4 })));
  return made;
}

// What is in an array: the numbers if they are few, else in short.
function numbers({ shape, mean, least, greatest, bars: heights, sentence }) {
  if (!shape) return [sentence];
  if (!heights) return [html("small", {}, shape), html("small", {}, `all ${mean}`)];
  return [html("small", {}, shape), html("small", {}, `mean ${mean}`), bars(heights),
          html("small", {}, `${least} to ${greatest}`)];
}

function cardOf(thing) {
  if (thing.kind === "frame") return frameCard(thing);
  const { kind, name, called, value, gradient, from } = thing;
  const list = html("dl");
  const add = (term, summary, kind) =>
    list.append(html("dt", {}, term), html("dd", { class: kind }, ...numbers(summary)));
  if (kind === "op") {
    add(called ? `output ${called}` : "output", value, "forward");
    add("upstream gradient", gradient, "gradient");
    return [html("h2", {}, name), list, inputTable(thing)];
  }
  add("value", value, "forward");
  add(from.length > 1 ? `gradient, the sum over ${from.length} uses` : "gradient", gradient, "gradient");
  return [html("h2", {}, kind === "output" ? name : `${name}, ${article(kind)}`), list];
}

const article = (kind) => `${kind === "input" ? "an" : "a"} ${kind}`;

function inputTable({ gradient, into }) {
  const head = ["input", "value", "upstream", "", "local", "", "downstream"];
  const table = html("table", {}, html("tr", {}, ...head.map((words) => html("th", {}, words))));
  for (const { source, place, local, downstream, summed } of into) {
    const cell = (kind, ...children) => html("td", { class: kind }, ...children);
    table.append(html("tr", {},
      cell("", into.length > 1 ? `${place}: ${nameOf(source)}` : nameOf(source)),
      cell("forward", ...numbers(source.value)),
      cell("gradient", ...numbers(gradient)),
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
  const card = element("card");
  card.replaceChildren(...cardOf(thing));
  card.hidden = false;
  const [title] = thing.element.querySelectorAll(".title, .name");
  const { left, right, top, bottom } = (thing.kind === "frame" ? title : thing.element).getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  const above = bottom + 12 + height > window.innerHeight && top - 12 - height > 0;
  const x = Math.min(Math.max(10, (left + right - width) / 2), window.innerWidth - width - 10);
  card.style.left = `${x}px`;
  card.style.top = `${above ? top - 12 - height : Math.min(bottom + 12, window.innerHeight - height - 10)}px`;
  const isOpen = thing.kind === "frame" && !thing.folded;
  for (const { element: made, start, end } of graph.lines) {
    made.classList.toggle("touched", !isOpen && (start === thing || end === thing));
  }
}

function hideCard() {
  element("card").hidden = true;
  for (const line of graph.lines) line.element.classList.remove("touched");
}
