"use strict";
// Walks through one recorded run.  Everything comes from the JSON in the page:
//   moments  the virtual time of each moment, in ms; everything below counts in moments
//   arrows   [group, sender, to, sent, ended or null, text, fate]      texts and fates are places in `texts`
//   spans    [kind, member, began, ended or null, text, row]
//   marks    [kind, member, moment, text]
//   strikes  [moment, fault, words, time in ms]      the moment is the first one after it
const run = JSON.parse(document.getElementById("run").textContent);
const element = (id) => document.getElementById(id);
const stage = element("stage"), overview = element("overview"), scrubber = element("scrubber");

const LEFT = 94, TOP = 62, LANE = 108, LINE = 44, RIGHT = 16; // pixels; LINE is where in its lane a member's line is
const SILENCE = 1500; // no gap between two moments is drawn longer than this many ms: hours in which nobody was there
const WINDOW = 160, WINDOW_MOMENTS = 45, WINDOW_MIN = 4; // how much is seen at first, and at least
const LISTED = 300; // rows of the list
const LETTER_FAULTS = new Set(["N3", "N4", "N5"]); // strikes that show as the fate of an arrow

// --- where a moment is: its time, with the moments of one millisecond spread evenly over it ---

const place = [];
for (let first = 0, at = Math.min(run.moments[0], SILENCE); first < run.moments.length; ) {
  let next = first;
  while (next < run.moments.length && run.moments[next] === run.moments[first]) next++;
  for (let moment = first; moment < next; moment++)
    place.push(run.isToScale ? at + (moment - first) / (next - first) : moment);
  if (next < run.moments.length) at += Math.min(run.moments[next] - run.moments[first], SILENCE);
  first = next;
}
const END = place[place.length - 1] + 1;
const last = run.moments.length - 1;
const spanKind = Object.fromEntries(run.spanKinds.map(([name], number) => [name, number]));
const markKind = Object.fromEntries(run.markKinds.map(([name], number) => [name, number]));
const laneOf = Object.fromEntries(run.members.map((member, number) => [member, number]));

function momentAt(where) { // the last moment that is not after `where`
  let low = 0, high = last;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (place[middle] <= where) low = middle; else high = middle - 1;
  }
  return low;
}

const timeOf = (moment) => run.isToScale ? `${run.moments[moment].toLocaleString("en")} ms` : `step ${moment}`;

// --- what is shown ---

const view = { from: 0, width: Math.min(END, run.isToScale ? WINDOW : WINDOW_MOMENTS) };
const hiddenGroups = new Set(run.groups.flatMap(([, , shown], number) => (shown ? [] : [number])));
const hiddenMembers = new Set();
let selected = null; // { list: "arrows" | "spans" | "marks" | "strikes", number }
let playing = null;

const isShown = (arrow) =>
  !hiddenGroups.has(arrow[0]) && !hiddenMembers.has(arrow[1]) && !hiddenMembers.has(arrow[2]);
const laneY = (member) => TOP + laneOf[member] * LANE + LINE;
const x = (where) => LEFT + ((where - view.from) / view.width) * (stage.clientWidth - LEFT - RIGHT);
const endOf = (thing) => (thing[3] === null ? END : place[thing[3]]);

function move(from) {
  const slack = view.width / 2; // so that the first and the last moment can be in the middle
  view.from = Math.max(-slack, Math.min(from, END - slack));
  draw();
}

function zoom(factor, around = view.from + view.width / 2) {
  const width = Math.max(WINDOW_MIN, Math.min(view.width * factor, END * 1.05));
  const part = (around - view.from) / view.width;
  view.width = width;
  move(around - part * width);
}

const centre = (moment) => move(place[moment] - view.width / 2);

// --- colours and words on a canvas ---

function fitted(canvas, height) { // a context in CSS pixels, sharp on any screen
  const ratio = window.devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.lineJoin = "round";
  return pen;
}

const shade = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function ink() {
  const names = ["paper", "ink", "dim", "line", "soft", "good", "bad", "doubt"];
  const colours = Object.fromEntries(names.map((name) => [name, shade(name)]));
  colours.groups = run.groups.map((_, number) => shade(`kind${number}`));
  return colours;
}

function line(pen, colour, width, x1, y1, x2, y2, dash = []) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
  pen.setLineDash([]);
}

function shape(pen, colour, ...points) {
  pen.fillStyle = colour;
  pen.beginPath();
  for (const [px, py] of points) pen.lineTo(px, py);
  pen.fill();
}

function cross(pen, colour, cx, cy, size, width) {
  line(pen, colour, width, cx - size, cy - size, cx + size, cy + size);
  line(pen, colour, width, cx - size, cy + size, cx + size, cy - size);
}

function words(pen, colour, text, px, py, align = "left", paper = null) {
  pen.textAlign = align;
  if (paper) {
    pen.strokeStyle = paper;
    pen.lineWidth = 4;
    pen.strokeText(text, px, py);
  }
  pen.fillStyle = colour;
  pen.fillText(text, px, py);
}

// --- one thing each ---

function drawMark(pen, ink, kind, px, py) {
  const name = run.markKinds[kind][0];
  if (name === "wrote") { pen.fillStyle = ink.ink; pen.fillRect(px - 2, py - 7, 4, 7); }
  if (name === "passed") shape(pen, ink.good, [px, py - 22], [px + 6, py - 16], [px, py - 10], [px - 6, py - 16]);
  if (name === "applied") shape(pen, ink.good, [px - 4, py + 2], [px + 4, py + 2], [px, py + 8]);
  if (name === "boot") shape(pen, ink.ink, [px, py - 7], [px + 9, py], [px, py + 7]);
  if (name === "crash") cross(pen, ink.bad, px, py, 6, 2.5);
  if (name === "power") {
    cross(pen, ink.bad, px, py, 6, 2.5);
    pen.beginPath(); pen.arc(px, py, 10, 0, 7); pen.lineWidth = 1.5; pen.stroke();
  }
}

function drawSpan(pen, ink, kind, x1, x2, py, row) {
  const name = run.spanKinds[kind][0], wide = Math.max(x2 - x1, 2);
  if (name === "polling") line(pen, ink.groups[2], 6, x1, py, x2, py);
  if (name === "trying") line(pen, ink.doubt, 5, x1, py, x2, py, [7, 4]);
  if (name === "down") {
    line(pen, ink.paper, 5, x1, py, x2, py);
    line(pen, ink.bad, 1.5, x1, py, x2, py, [2, 6]);
  }
  if (name === "paused") { pen.fillStyle = ink.line; pen.fillRect(x1, py - 9, wide, 18); }
  if (name === "sync") { pen.fillStyle = ink.dim; pen.fillRect(x1, py + 11, wide, 5); }
  if (name === "done" || name === "failed") {
    pen.fillStyle = name === "done" ? ink.good : ink.doubt;
    pen.fillRect(x1, py + 21 + row * 7, wide, 4);
    if (name === "failed") { pen.fillStyle = ink.paper; pen.fillRect(x1 + 1, py + 22 + row * 7, wide - 2, 2); }
  }
}

function ends(arrow) { // where an arrow begins and ends; a letter lost at once gets some of its way
  const [, sender, to, sent, ended, , fate] = arrow;
  const x1 = x(place[sent]), y1 = laneY(sender), y2 = laneY(to);
  const arrived = run.texts[fate].startsWith("arrived");
  if (ended === null) return { x1, y1, x2: Math.max(x(END), x1 + 20) + 50, y2: y1 + (y2 - y1) * 0.8, state: "open" };
  if (!arrived && ended === sent) return { x1, y1, x2: x1 + 14, y2: y1 + (y2 - y1) * 0.35, state: "lost" };
  const x2 = x(place[ended]), state = arrived ? "arrived" : "lost", isLate = x2 - x1 > stage.clientWidth;
  // Of a letter that was away for longer than one can see, only the end is drawn, if it is in sight, or the beginning.
  if (isLate && x2 < stage.clientWidth) return { x1: x2 - 40, y1: y2 + (y1 - y2) * 0.4, x2, y2, state, isLate };
  if (isLate) return { x1, y1, x2: x1 + 40, y2: y1 + (y2 - y1) * 0.4, state: "open", isLate };
  return { x1, y1, x2, y2, state };
}

function drawArrow(pen, ink, arrow, isCrowded, isChosen) {
  const { x1, y1, x2, y2, state, isLate } = ends(arrow);
  const colour = ink.groups[arrow[0]];
  pen.globalAlpha = isChosen ? 1 : isCrowded ? 0.45 : 0.9;
  const dash = state === "open" || isLate ? [2, 4] : run.texts[arrow[6]].endsWith("a copy") ? [8, 3] : [];
  line(pen, colour, isChosen ? 3.5 : isCrowded ? 0.8 : 1.5, x1, y1, x2, y2, dash);
  if (state === "lost") cross(pen, ink.bad, x2, y2, 4, 2);
  if (state === "arrived" && !isCrowded) {
    const turn = Math.atan2(y2 - y1, x2 - x1), size = isChosen ? 11 : 8;
    const wing = (side) => [x2 - size * Math.cos(turn + side), y2 - size * Math.sin(turn + side)];
    shape(pen, colour, [x2, y2], wing(0.36), wing(-0.36));
  }
  pen.globalAlpha = 1;
}

function labelArrows(pen, ink, arrows) { // as many words as have room, each along its arrow
  const taken = [];
  for (const arrow of arrows) {
    const { x1, y1, x2, y2 } = ends(arrow), length = Math.hypot(x2 - x1, y2 - y1);
    const full = run.texts[arrow[5]];
    for (const text of [full, full.split(",")[0], full.split(/[ ;,:]/)[0]]) {
      const width = pen.measureText(text).width;
      if (width > length - 26 || width > 360) continue;
      const part = 0.5, cx = x1 + (x2 - x1) * part, cy = y1 + (y2 - y1) * part;
      if (cx < LEFT || cx > stage.clientWidth) break;
      // Words are thin and long: two collide if some point of one is near a point of the other.
      const steps = Math.ceil(width / 16), points = [];
      for (let step = 0; step <= steps; step++) {
        const along = ((step / steps - 0.5) * width) / length;
        points.push([cx + (x2 - x1) * along, cy + (y2 - y1) * along]);
      }
      if (points.some(([px, py]) => taken.some(([qx, qy]) => Math.abs(px - qx) < 15 && Math.abs(py - qy) < 14))) continue;
      taken.push(...points);
      pen.save();
      pen.translate(cx, cy);
      const turn = Math.atan2(y2 - y1, x2 - x1);
      pen.rotate(Math.abs(turn) > Math.PI / 2 ? turn + Math.PI : turn);
      words(pen, ink.groups[arrow[0]], text, 0, -4, "center", ink.paper);
      pen.restore();
      break;
    }
  }
}

// --- the whole ---

function isInSight(arrow) { // whether any of what is drawn of it is
  const { x1, x2 } = ends(arrow);
  return x2 >= LEFT - 10 && x1 <= stage.clientWidth;
}

function inWindow() {
  const from = momentAt(view.from - view.width * 0.02), until = momentAt(view.from + view.width * 1.02);
  const inside = (list, member, began, ended) => run[list].flatMap((thing, number) =>
    began(thing) <= until && ended(thing) >= from && member(thing) ? [{ list, number, thing, at: began(thing) }] : []);
  const lane = (thing) => !hiddenMembers.has(thing[1]);
  return {
    arrows: inside("arrows", isShown, (arrow) => arrow[3], (arrow) => arrow[4] ?? last).filter(({ thing }) => isInSight(thing)),
    spans: inside("spans", lane, (span) => span[2], (span) => span[3] ?? last),
    marks: inside("marks", lane, (mark) => mark[2], (mark) => mark[2]),
    strikes: inside("strikes", () => true, (strike) => strike[0], (strike) => strike[0]),
  };
}

const isChosen = (item) => selected && selected.list === item.list && selected.number === item.number;

const cutBefore = (moment) => (run.isToScale ? run.moments[moment] - Math.floor(place[moment]) : 0);

function drawAxis(pen, ink, height) {
  const room = Math.max(1, Math.floor((stage.clientWidth - LEFT) / 110)), step = niceStep(view.width / room);
  pen.font = "12px system-ui, sans-serif";
  // Places and times differ by the silences that were cut short; round times are wanted, not round places.
  const cut = cutBefore(momentAt(view.from + view.width / 2));
  let lastX = -100;
  for (let where = Math.ceil((Math.max(view.from, 0) + cut) / step) * step - cut; where <= view.from + view.width && where < END; where += step) {
    const moment = momentAt(where + 1e-9);
    const time = Math.round(where) + cutBefore(moment);
    line(pen, ink.line, 1, x(where), 20, x(where), height);
    if (x(where) - lastX > 60) words(pen, ink.dim, time.toLocaleString("en"), x(where), 14, "center");
    lastX = x(where);
  }
  words(pen, ink.dim, run.isToScale ? "ms" : "step", 12, 14);
  words(pen, ink.dim, run.strikes.length ? "faults" : "", 12, 38);
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return Math.max(1, [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= least));
}

function drawStage() {
  const height = TOP + run.members.length * LANE, pen = fitted(stage, height), colours = ink(), items = inWindow();
  const right = stage.clientWidth, y = laneY;
  run.members.forEach((member, number) => {
    if (number % 2 === 0) { pen.fillStyle = colours.soft; pen.fillRect(0, TOP + number * LANE, right, LANE); }
  });
  drawAxis(pen, colours, height);
  pen.save();
  pen.beginPath(); pen.rect(LEFT - 2, 0, right, height); pen.clip();
  for (const member of run.members) line(pen, colours.dim, 1.5, x(0), y(member), x(END), y(member));
  for (const { thing } of items.spans) drawSpan(pen, colours, thing[0], x(place[thing[2]]), x(endOf(thing)), y(thing[1]), thing[5]);
  const isCrowded = items.arrows.length > 700;
  for (const item of items.arrows) drawArrow(pen, colours, item.thing, isCrowded, isChosen(item));
  for (const { thing } of items.marks) drawMark(pen, colours, thing[0], x(place[thing[2]]), y(thing[1]));
  drawStrikes(pen, colours, items.strikes, isCrowded);
  if (items.arrows.length < 250) labelArrows(pen, colours, items.arrows.map((item) => item.thing));
  drawLabels(pen, colours, items, isCrowded);
  if (run.claim) {
    line(pen, colours.bad, 2, x(place[last]), 20, x(place[last]), height, [6, 4]);
    words(pen, colours.bad, "a rule breaks here", x(place[last]) + 6, height - 8, "left", colours.paper);
  }
  pen.restore();
  pen.font = "600 14px system-ui, sans-serif";
  for (const member of run.members) words(pen, colours.ink, `member ${member}`, 12, y(member) + 5);
  return items;
}

const clipped = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

function drawStrikes(pen, ink, strikes, isCrowded) {
  let edge = -100;
  pen.font = "12px system-ui, sans-serif";
  for (const item of strikes) {
    const [moment, fault, what] = item.thing, px = x(place[moment]), isSmall = LETTER_FAULTS.has(fault);
    if (isSmall) shape(pen, ink.bad, [px, 56], [px + 2.5, 49], [px - 2.5, 49]);
    else shape(pen, ink.bad, [px, 44], [px + 5, 31], [px - 5, 31]);
    if (isSmall || isCrowded || px < edge) continue;
    const room = clipped(what, 46);
    words(pen, ink.bad, room, px + 8, 42, "left", ink.paper);
    edge = px + pen.measureText(room).width + 24;
  }
}

function drawLabels(pen, ink, items, isCrowded) { // words beside spans and marks, where they do not run into each other
  pen.font = "12px system-ui, sans-serif";
  const edges = {};
  const put = (row, px, py, text, colour) => {
    const width = pen.measureText(text).width;
    if (px < (edges[row] ?? -1e9)) return;
    words(pen, colour, text, px, py, "left", ink.paper);
    edges[row] = px + width + 10;
  };
  for (const { thing } of items.spans) {
    const [kind, member, began, , text] = thing, name = run.spanKinds[kind][0];
    if (!["trying", "polling", "down", "paused"].includes(name)) continue;
    const x1 = Math.max(x(place[began]), LEFT + 4), x2 = x(endOf(thing));
    if (x2 - x1 < 30) continue;
    const colour = { trying: ink.doubt, polling: ink.groups[2], down: ink.bad, paused: ink.dim }[name];
    put(`slip ${member}`, x1, laneY(member) - 27, run.texts[text].split(":")[0], colour);
  }
  for (const { thing } of items.marks)
    if (thing[0] === markKind.passed && !isCrowded)
      put(`passed ${thing[1]}`, x(place[thing[2]]) + 9, laneY(thing[1]) - 12, clipped(run.texts[thing[3]], 34), ink.good);
}

function drawOverview() {
  const rows = run.members.length, bottom = 14 + rows * 9 + 26, pen = fitted(overview, bottom), colours = ink();
  const wide = overview.clientWidth, ox = (where) => (where / END) * wide;
  run.members.forEach((member, number) => line(pen, colours.line, 1, 0, 18 + number * 9, wide, 18 + number * 9));
  const shades = { trying: colours.doubt, polling: colours.groups[2], down: colours.bad, paused: colours.dim };
  for (const span of run.spans) {
    const colour = shades[run.spanKinds[span[0]][0]];
    if (colour) line(pen, colour, 5, ox(place[span[2]]), 18 + laneOf[span[1]] * 9, Math.max(ox(endOf(span)), ox(place[span[2]]) + 1), 18 + laneOf[span[1]] * 9);
  }
  const counts = new Array(Math.ceil(wide / 3) + 1).fill(0);
  for (const arrow of run.arrows) if (isShown(arrow)) counts[Math.floor(ox(place[arrow[3]]) / 3)]++;
  const most = Math.max(...counts, 1);
  pen.fillStyle = colours.dim;
  counts.forEach((count, number) => pen.fillRect(number * 3, bottom - (count / most) * 22, 2, (count / most) * 22));
  for (const [moment, fault] of run.strikes)
    if (!LETTER_FAULTS.has(fault)) { pen.fillStyle = colours.bad; pen.fillRect(ox(place[moment]) - 1, 0, 2, 9); }
  if (run.claim) line(pen, colours.bad, 2, wide - 1, 0, wide - 1, bottom);
  const x1 = Math.max(ox(view.from), 0), x2 = Math.min(ox(view.from + view.width), wide);
  pen.globalAlpha = 0.16; pen.fillStyle = colours.ink; pen.fillRect(x1, 0, Math.max(x2 - x1, 2), bottom); pen.globalAlpha = 1;
  pen.strokeStyle = colours.ink; pen.lineWidth = 1; pen.strokeRect(x1 + 0.5, 0.5, Math.max(x2 - x1 - 1, 2), bottom - 1);
}

function draw() {
  const items = drawStage();
  drawOverview();
  const moment = momentAt(view.from + view.width / 2);
  scrubber.max = END;
  scrubber.value = view.from + view.width / 2;
  element("clock").textContent = `${timeOf(moment)} of ${run.isToScale ? run.moments[last].toLocaleString("en") : last}`;
  if (!playing) list(items);
}

// --- in words ---

function told(item) { // [when, who, what] of anything that can be selected
  const { list, thing } = item;
  if (list === "arrows") {
    const [, sender, to, sent, ended, text, fate] = thing;
    const end = ended === null || ended === sent ? run.texts[fate] : `${run.texts[fate]} at ${timeOf(ended)}`;
    return [timeOf(sent), `${sender}→${to}`, run.texts[text], end];
  }
  if (list === "strikes") return [`${thing[3].toLocaleString("en")} ms`, thing[1], thing[2], "a fault of the run"];
  const kinds = list === "spans" ? run.spanKinds : run.markKinds, about = kinds[thing[0]][1];
  const until = list === "spans" ? (thing[3] === null ? "to the end" : `until ${timeOf(thing[3])}`) : "";
  const verb = list === "marks" && thing[0] === markKind.wrote ? "writes: " : "";
  return [timeOf(thing[2]), `${thing[1]}`, verb + run.texts[list === "spans" ? thing[4] : thing[3]], [about, until].filter(Boolean).join(", ")];
}

function list({ arrows, spans, marks, strikes }) {
  const first = momentAt(view.from), isNews = (item) => item.at >= first || item.list === "arrows";
  const items = [...arrows, ...spans, ...marks, ...strikes.filter((item) => !LETTER_FAULTS.has(item.thing[1]))].filter(isNews);
  items.sort((one, other) => one.at - other.at);
  element("count").textContent = items.length > LISTED ? `the first ${LISTED} of ${items.length.toLocaleString("en")}` : `${items.length}`;
  element("list").replaceChildren(...items.slice(0, LISTED).map((item) => {
    const row = document.createElement("li"), button = document.createElement("button"), [when, who, what] = told(item);
    const isBad = item.list === "strikes" || (item.list === "arrows" && ends(item.thing).state === "lost");
    [["time", when], ["who", who], [isBad ? "bad" : "what", isBad && item.list === "arrows" ? `${what} (${run.texts[item.thing[6]]})` : what]]
      .forEach(([name, text]) => { const cell = document.createElement("span"); cell.className = name; cell.textContent = text; button.append(cell); });
    button.classList.toggle("chosen", Boolean(isChosen(item)));
    button.addEventListener("click", () => select(item));
    row.append(button);
    return row;
  }));
}

function select(item) {
  selected = item && { list: item.list, number: item.number };
  const lines = item ? told(item) : ["", "", "Click an arrow, a mark or a line of the list.", ""];
  const [when, who, what, more] = lines;
  const heads = item && item.list === "arrows" ? `${who.replace("→", " to ")}, sent at ${when}` : item && item.list === "strikes" ? `${when}, fault ${who}` : item ? `Member ${who}, ${when}` : "";
  element("selected").replaceChildren(...[heads, what, item && item.list === "arrows" ? `${run.groups[item.thing[0]][1]} · ${more}` : more]
    .filter(Boolean).map((text) => { const words = document.createElement("p"); words.textContent = text; return words; }));
  draw();
}

function under(px, py) { // what is drawn at a place: marks before arrows before spans
  const items = inWindow(), near = [];
  const offer = (item, distance, reach) => { if (distance <= reach) near.push([distance, item]); };
  for (const item of items.strikes) offer(item, Math.hypot(x(place[item.thing[0]]) - px, (43 - py) / 3) - 3, 5);
  for (const item of items.marks) {
    const dy = run.markKinds[item.thing[0]][0] === "passed" ? -16 : 0;
    offer(item, Math.hypot(x(place[item.thing[2]]) - px, laneY(item.thing[1]) + dy - py) - 3, 5);
  }
  for (const item of items.arrows) {
    const { x1, y1, x2, y2 } = ends(item.thing), length = (x2 - x1) ** 2 + (y2 - y1) ** 2 || 1;
    const part = Math.max(0, Math.min(1, ((px - x1) * (x2 - x1) + (py - y1) * (y2 - y1)) / length));
    offer(item, Math.hypot(x1 + part * (x2 - x1) - px, y1 + part * (y2 - y1) - py), 6);
  }
  for (const item of items.spans) {
    const [kind, member, began, , , row] = item.thing, name = run.spanKinds[kind][0];
    const middle = { sync: 13, done: 23 + row * 7, failed: 23 + row * 7 }[name] ?? 0;
    if (px >= x(place[began]) - 2 && px <= x(endOf(item.thing)) + 2) offer(item, Math.abs(laneY(member) + middle - py) + 3, 7);
  }
  near.sort((one, other) => one[0] - other[0]);
  return near.length ? near[0][1] : null;
}

// --- controls ---

function play(on) {
  playing = on ? { at: performance.now() } : null;
  element("play").textContent = on ? "Pause" : "Play";
  if (on) requestAnimationFrame(tick); else draw();
}

function tick(now) {
  if (!playing) return;
  const passed = (now - playing.at) / 6000; // a whole window goes by in six seconds
  playing.at = now;
  move(view.from + passed * view.width);
  if (view.from + view.width / 2 >= END - view.width * 0.001) play(false); else requestAnimationFrame(tick);
}

const KEYS = {
  ArrowLeft: () => move(view.from - view.width / 8), ArrowRight: () => move(view.from + view.width / 8),
  PageUp: () => move(view.from - view.width), PageDown: () => move(view.from + view.width),
  Home: () => centre(0), End: () => centre(last),
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => { view.width = END * 1.02; move(-END * 0.01); },
  " ": () => play(!playing), b: () => run.claim && centre(last), Escape: () => select(null),
};

function filters(id, entries, hidden, swatch) {
  element(id).replaceChildren(...entries.map(([key, name, about]) => {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = !hidden.has(key);
    box.addEventListener("change", () => { if (box.checked) hidden.delete(key); else hidden.add(key); draw(); });
    label.append(box, ...(swatch ? [swatch(key)] : []), name);
    if (about) { const alias = document.createElement("small"); alias.textContent = `(${about})`; label.append(" ", alias); }
    return label;
  }));
}

function swatch(paint) {
  const canvas = document.createElement("canvas");
  canvas.width = 56; canvas.height = 36;
  const pen = canvas.getContext("2d");
  pen.scale(2, 2);
  paint(pen, ink());
  return canvas;
}

function buildLegend() {
  const used = new Set(run.arrows.map((arrow) => arrow[0]));
  const groups = run.groups.flatMap(([name, alias], number) => (used.has(number) ? [[number, name, alias]] : []));
  filters("kinds", groups, hiddenGroups, (number) => swatch((pen, ink) => {
    line(pen, ink.groups[number], 2.5, 0, 9, 20, 9);
    shape(pen, ink.groups[number], [27, 9], [18, 5], [18, 13]);
  }));
  filters("members", run.members.map((member) => [member, `member ${member}`]), hiddenMembers);
  const rows = [
    ...run.spanKinds.map(([, about], kind) => [about, (pen, ink) => drawSpan(pen, ink, kind, 2, 26, { sync: -5, done: -14, failed: -14 }[run.spanKinds[kind][0]] ?? 9, 0)]),
    ...run.markKinds.map(([name, about], kind) => [about, (pen, ink) => drawMark(pen, ink, kind, 14, { passed: 25, wrote: 12, applied: 4 }[name] ?? 9)]),
    ["letter that was lost", (pen, ink) => { line(pen, ink.dim, 1.5, 2, 9, 20, 9); cross(pen, ink.bad, 21, 9, 4, 2); }],
    ["one more copy of a letter", (pen, ink) => line(pen, ink.dim, 1.5, 2, 9, 26, 9, [8, 3])],
    ["fault of the run", (pen, ink) => shape(pen, ink.bad, [14, 16], [19, 2], [9, 2])],
  ];
  element("legend").replaceChildren(...rows.map(([about, paint]) => {
    const row = document.createElement("li");
    row.append(swatch(paint), about);
    return row;
  }));
}

function dragged(canvas, follow) { // follow(x, dx) while the pointer is down; says whether it moved at all
  canvas.addEventListener("pointerdown", (down) => {
    let before = down.offsetX, way = 0;
    canvas.setPointerCapture(down.pointerId);
    follow(down.offsetX, 0);
    const on = (event) => { way += Math.abs(event.offsetX - before); follow(event.offsetX, event.offsetX - before); before = event.offsetX; };
    const off = () => {
      canvas.removeEventListener("pointermove", on);
      canvas.dispatchEvent(new CustomEvent("released", { detail: { way, x: down.offsetX, y: down.offsetY } }));
    };
    canvas.addEventListener("pointermove", on);
    canvas.addEventListener("pointerup", off, { once: true });
  });
}

function start() {
  scrubber.addEventListener("input", () => move(Number(scrubber.value) - view.width / 2));
  dragged(overview, (px) => move((px / overview.clientWidth) * END - view.width / 2));
  dragged(stage, (px, dx) => dx && move(view.from - (dx / (stage.clientWidth - LEFT - RIGHT)) * view.width));
  stage.addEventListener("released", ({ detail: { way, x: px, y: py } }) => way < 4 && select(under(px, py)));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) return move(view.from + ((event.deltaX || event.deltaY) / 1000) * view.width);
    zoom(Math.exp(event.deltaY / 500), view.from + ((event.offsetX - LEFT) / (stage.clientWidth - LEFT - RIGHT)) * view.width);
  }, { passive: false });
  stage.addEventListener("mousemove", (event) => {
    const item = event.buttons ? null : under(event.offsetX, event.offsetY);
    stage.style.cursor = item ? "pointer" : "grab";
    stage.title = item ? told(item).slice(1).join(" ") : "";
  });
  document.addEventListener("keydown", (event) => {
    const isOurs = !event.ctrlKey && !event.metaKey && !event.altKey && KEYS[event.key];
    const isButton = event.target.closest("button, input");
    if (!isOurs || (isButton && (event.key === " " || event.target.type === "range"))) return;
    event.preventDefault();
    KEYS[event.key]();
  });
  const buttons = { play: " ", back: "ArrowLeft", forth: "ArrowRight", out: "-", in: "+", all: "0", broken: "b" };
  for (const [id, key] of Object.entries(buttons)) element(id).addEventListener("click", KEYS[key]);
  element("broken").hidden = !run.claim;
  window.addEventListener("resize", draw);
  window.addEventListener("hashchange", open);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { buildLegend(); draw(); });
  buildLegend();
  open();
}

function open() { // at the time in the address, at the broken rule, or where somebody first presides
  const wanted = Number.parseFloat(location.hash.slice(1).replaceAll(",", ""));
  const presiding = run.spans.find((span) => span[0] === spanKind.polling);
  let moment = run.claim ? last : presiding ? presiding[2] : 0;
  if (wanted >= 0) moment = run.isToScale ? Math.max(run.moments.findIndex((time) => time >= wanted), 0) : Math.min(Math.round(wanted), last);
  select(null);
  centre(moment);
}

start();
