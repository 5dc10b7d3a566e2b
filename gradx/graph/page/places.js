"use strict";

// What the page shows, and where it stands.
//
// Python has sorted all things into the layers of the frame that holds them, from the left, and
// each layer from the top. That stays as it is when a frame folds; only sizes change. So what is
// done here is to find places, as gradx/graph/spacing.py does: widths of layers are added up, and
// things are pulled towards their neighbours.

const NAME = 14, LABEL = 11, LINE = 13, RADIUS = 16, TITLE = 26, PADDING = 10, APART = 9, ROUNDS = 24;

function textWidth(text, size) {
  // Signs of East Asia are as wide as high; the rest is reckoned wide rather than narrow.
  const widths = Array.from(text, (sign) => (sign >= "\u1100" && sign <= "\uffef" ? 1 : 0.64));
  return size * widths.reduce((sum, width) => sum + width, 0);
}

const widest = (lines) => Math.max(0, ...lines.map((line) => textWidth(line, LABEL)));

function shortened(number) {
  const value = Number(number);
  if (!Number.isFinite(value)) return number; // also a complex number
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1);
  return String(Number(value.toPrecision(2)));
}

// A summary is a text: few numbers as a line and, if longer, a sentence; of many the shape, mean,
// least, greatest, the bars of a histogram, and all numbers if they are not too many.
function readSummary(text) {
  const parts = text.split("|");
  if (parts.length < 3) return { lines: [parts[0]], sentence: parts.at(-1) };
  const [shape, mean, least, greatest, bars, numbers] = parts;
  const areEqual = bars === "" && mean === least && least === greatest && mean !== "nan";
  return {
    shape, mean, least, greatest, bars, areEqual,
    lines: areEqual ? [`all ${shortened(mean)}`]
      : [`mean ${shortened(mean)}`, `${shortened(least)} to ${shortened(greatest)}`],
    sentence: numbers ?? `${shape}, mean ${mean}, min ${least}, max ${greatest}`,
  };
}

function readGraph(content) {
  const whole = { frame: null, folded: false };
  const summaries = content.summaries.map(readSummary);
  const frames = [];
  const held = (frame, layer, index) => ({ frame: frames[frame] ?? whole, layer, index });
  for (const [label, path, folded, ...place] of content.frames) {
    const kind = "frame", number = frames.length;
    frames.push({ number, kind, label, path, folded: folded === 1, ...held(...place) });
  }
  const boxes = content.boxes.map(
    ([kind, label, name, called, frame, layer, index, value, gradient], number) => ({
      number, kind, label, name, called, value: summaries[value], gradient: summaries[gradient],
      into: [], from: [], ...held(frame, layer, index),
    }));
  const items = new Map(); // Arrows from one box share them until they part.
  const arrows = content.arrows.map(
    ([source, target, place, local, downstream, summed, label, path], number) => {
      const between = [];
      for (let i = 0; i < path.length; i += 3) {
        const where = path.slice(i, i + 3), key = where.join();
        if (!items.has(key)) items.set(key, { width: 0, height: 10, ...held(...where) });
        between.push(items.get(key));
      }
      return { number, source: boxes[source], target: boxes[target], place, summed: summed === 1,
               local: summaries[local], downstream: summaries[downstream], between,
               label: between[label] };
    });
  for (const arrow of arrows) {
    arrow.source.from.push(arrow);
    arrow.target.into.push(arrow);
    arrow.above = linesAbove(arrow);
  }
  const sums = new Map(content.sums.map(([box, frame, sum]) => [`${box},${frame}`, summaries[sum]]));
  return { whole, frames, boxes, arrows, sums };
}

function linesAbove({ source: { value, called, kind }, target }) {
  const lines = [...(value.shape ? [value.shape] : []), ...value.lines];
  if (called && kind === "op" && target.kind !== "output") lines[0] = `${called} = ${lines[0]}`;
  return lines;
}

// The outermost folded frame that holds a thing, or the thing itself: what stands for it.
function shownFor(thing) {
  let shown = thing;
  for (let { frame } = thing; frame; frame = frame.frame) if (frame.folded) shown = frame;
  return shown;
}

const isShown = (thing) => shownFor(thing) === thing;

// The arrows that are seen. Those from one box into one folded frame are one, and bring back the sum.
function seenLines(graph) {
  const lines = new Map();
  for (const arrow of graph.arrows) {
    const { number, source, target } = arrow;
    const start = shownFor(source), end = shownFor(target);
    if (start === end) continue;
    const inside = end !== target;
    const key = inside ? `${source.number},${end.number}` : number;
    if (lines.has(key)) continue;
    const downstream = graph.sums.get(key) ?? arrow.downstream;
    lines.set(key, { ...arrow, start, end, inside, downstream, path: arrow.between.filter(isShown) });
  }
  return [...lines.values()];
}

function arrange(graph) {
  graph.lines = seenLines(graph);
  for (const frame of [graph.whole, ...graph.frames]) frame.layers = [];
  const enter = (member) => {
    const layer = (member.frame.layers[member.layer] ??= new Set());
    layer.add(member);
    Object.assign(member, { before: new Map(), after: new Map() });
  };
  [...graph.frames, ...graph.boxes].filter(isShown).forEach(enter);
  graph.lines.forEach(({ path }) => path.forEach(enter));
  for (const box of graph.boxes) box.uses = [];
  for (const line of graph.lines) {
    line.source.uses.push(line);
    joinAlong([line.start, ...line.path, line.end]);
  }
  measure(graph);
  settle(graph.whole);
  place(graph.whole, 0, 0);
  spreadEnds(graph.lines);
}

// Make neighbours of what an arrow passes. Where it crosses the side of a frame, at a port, the
// neighbour is the frame.
function joinAlong(path) {
  const join = (left, right, leftPort, rightPort) => {
    left.after.set(right, { own: leftPort, far: rightPort });
    right.before.set(left, { own: rightPort, far: leftPort });
  };
  for (let i = 1; i < path.length; i += 1) {
    const left = path[i - 1], right = path[i];
    if (left.frame === right.frame) join(left, right);
    else if (right.frame.frame === left.frame) join(left, right.frame, undefined, right);
    else join(left.frame, right, left, undefined);
  }
}

function measure({ boxes, lines }) {
  for (const box of boxes) {
    const { kind, label, gradient, uses } = box;
    const around = kind === "input" || kind === "output" ? 6 : 8;
    const isPlain = uses.length === 1 || kind === "output" || !isShown(box);
    box.isRound = kind === "op" && label.length === 1;
    box.half = box.isRound ? RADIUS : textWidth(label, NAME) / 2 + around;
    box.total = isPlain ? [] : gradient.lines.map((line, i) => (i === 0 ? `total ${line}` : line));
    box.width = Math.max(2 * box.half, widest(box.total));
    box.height = 2 * RADIUS + 2 * LINE * box.total.length;
  }
  for (const { label, above, downstream } of lines) {
    label.width = widest([...above, ...downstream.lines]) + 8;
    label.height = 2 * LINE * Math.max(above.length, downstream.lines.length) + 10;
  }
}

// Give a frame its size, and what is in it places from the frame's inner corner.
function settle(frame) {
  if (!frame.folded) {
    const layers = Array.from(frame.layers, (layer) => [...(layer ?? [])]);
    for (const layer of layers) {
      layer.sort((one, other) => one.index - other.index);
      for (const member of layer) if (member.kind === "frame") settle(member);
    }
    frame.lower = setRows(layers);
    frame.columns = columnsOf(layers);
    frame.inner = frame.columns.at(-1).right;
  }
  if (!frame.frame) return;
  const title = textWidth(frame.label, LABEL) + 32;
  frame.width = frame.folded ? title : Math.max(title, frame.inner + 2 * PADDING);
  frame.height = frame.folded ? 2 * RADIUS : TITLE + frame.lower + PADDING;
  frame.half = frame.width / 2;
}

// How far below its middle a thing is joined to another.
const fromMiddle = (thing, port) => (port ? TITLE + port.down - thing.height / 2 : 0);

// Set how far down each thing is: in order, apart and near its neighbours; return where they end.
function setRows(layers) {
  for (const layer of layers) settleLayer(layer, layer.map(() => 0));
  for (let round = 0; round < ROUNDS; round += 1) {
    const sides = [["before"], ["after"], ["before", "after"]][round % 3];
    const order = round % 3 === 1 ? [...layers].reverse() : layers;
    for (const layer of order) settleLayer(layer, layer.map((member) => wanted(member, sides)));
  }
  for (const layer of layers) { // What bends are left go to the ends of lines.
    settleLayer(layer, layer.map((member) => member.kind ? member.down : wanted(member, ["before"])));
  }
  const members = layers.flat();
  const top = Math.min(...members.map(({ down, height }) => down - height / 2));
  for (const member of members) member.down -= top;
  return Math.max(...members.map(({ down, height }) => down + height / 2));
}

// The mean height of the neighbours; long lines pull hardest, to be straight.
function wanted(member, sides) {
  let sum = 0, weight = 0;
  for (const side of sides) {
    for (const [neighbour, { own, far }] of member[side]) {
      const stiffness = [1, 3, 9][Number(!member.kind) + Number(!neighbour.kind)];
      sum += stiffness * (neighbour.down + fromMiddle(neighbour, far) - fromMiddle(member, own));
      weight += stiffness;
    }
  }
  return weight ? sum / weight : member.down;
}

// Move things as near as they can be to where they want to be: isotonic regression.
function settleLayer(layer, wishes) {
  const pools = []; // sum and count of each run of things that touch
  const offsets = [0];
  layer.forEach((member, i) => {
    if (i) offsets.push(offsets[i - 1] + (layer[i - 1].height + member.height) / 2 + APART);
    pools.push([wishes[i] - offsets[i], 1]);
    while (pools.length > 1 && pools.at(-2)[0] / pools.at(-2)[1] > pools.at(-1)[0] / pools.at(-1)[1]) {
      const [sum, count] = pools.pop();
      pools.at(-1)[0] += sum;
      pools.at(-1)[1] += count;
    }
  });
  const downs = pools.flatMap(([sum, count]) => Array(count).fill(sum / count));
  layer.forEach((member, i) => { member.down = downs[i] + offsets[i]; });
}

function columnsOf(layers) {
  let left = 0;
  return layers.map((layer) => {
    const right = left + Math.max(0, ...layer.map(({ width }) => width));
    const column = { left, right };
    const slants = layer.flatMap((member) => Array.from(member.after, ([neighbour, { own, far }]) =>
      Math.abs(member.down + fromMiddle(member, own) - neighbour.down - fromMiddle(neighbour, far))));
    left = right + Math.min(Math.max(22, 0.35 * Math.max(0, ...slants)), 70);
    return column;
  });
}

// Turn places in frames into places in the picture.
function place(frame, x, y) {
  frame.layers.forEach((layer, number) => {
    const { left, right } = frame.columns[number];
    for (const member of layer) {
      Object.assign(member, { x: x + (left + right) / 2, y: y + member.down,
                              left: x + left, right: x + right });
      if (member.kind === "frame" && !member.folded) {
        place(member, member.x - member.inner / 2, member.y - member.height / 2 + TITLE);
      }
    }
  });
}

// Arrows end apart from each other.
function spreadEnds(lines) {
  const ends = new Map(lines.map(({ end }) => [end, []]));
  for (const line of lines) ends.get(line.end).push(line);
  for (const group of ends.values()) {
    const step = Math.min(10, 20 / Math.max(group.length - 1, 1));
    group.sort((one, other) => one.path.at(-1).y - other.path.at(-1).y);
    group.forEach((line, i) => { line.port = (i - (group.length - 1) / 2) * step; });
  }
}

// Path data: level within the layers, curved in the gaps between them, and where it ends.
function lineOf({ start: source, end: target, path, port }) {
  const end = { x: target.x - target.half, y: target.y + port };
  if (target.isRound) end.x = target.x - Math.sqrt(RADIUS ** 2 - port ** 2);
  let { right: x, y, frame } = source;
  const data = [`M${source.x + source.half} ${y}H${x}`];
  for (const item of path) {
    // The side of a frame is crossed level, from side to side of the layer that it stands in.
    if (item.frame.frame === frame) data.push(curve(x, y, item.frame.left, item.y));
    else if (frame.frame === item.frame) data.push(`H${x = frame.right}`, curve(x, y, item.left, item.y));
    else data.push(curve(x, y, item.left, item.y));
    ({ right: x, y, frame } = item);
    data.push(`H${x}`);
  }
  data.push(curve(x, y, target.left, end.y), `H${end.x}`);
  return { data: data.join(""), end, start: { x: source.x + source.half, y: source.y } };
}

function curve(x, y, left, stop) {
  const middle = (x + left) / 2;
  return `C${middle} ${y} ${middle} ${stop} ${left} ${stop}`;
}
