// Draws the charts of the report from the figures beside them: single runs, medians, intervals and what held, with hover, zoom,
// series to switch off, and an address for what is seen.
"use strict";
const palettes = { light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f7f7f"], dark: ["#4f9fe0", "#ff8a3d", "#2ec49a", "#e39ac6", "#a8e0ff", "#f2b632", "#b0b0b0"] };
const dark = matchMedia("(prefers-color-scheme: dark)");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (v) => Math.abs(v) >= 1000 ? v.toFixed(0) : String(Number(v.toPrecision(3)));
function si(v) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (Math.abs(v) >= size) return short(v / size) + unit;
  return short(v);
}
function time(ns) {
  if (ns === 0) return "0";
  for (const [size, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) if (Math.abs(ns) >= size) return short(ns / size) + " " + unit;
  return short(ns) + " ns";
}
const spell = (unit, v) => v == null ? "none" : unit === "ns" || unit === "ns/op" ? time(v) : unit === "s" ? time(1e9 * v) : si(v) + (unit ? " " + unit : "");

// The address: #NAME&hide=1,3&x=0,5&log=1 shows a chart as it was seen.
function readAddress() {
  const [name, ...rest] = location.hash.slice(1).split("&");
  return { name, state: Object.fromEntries(rest.map((part) => part.split("="))) };
}
function writeAddress(chart) {
  const parts = [chart.data.name];
  if (chart.hidden.size) parts.push("hide=" + [...chart.hidden].sort((a, b) => a - b).join(","));
  if (chart.zoom) parts.push("x=" + chart.zoom.map((v) => Number(v.toPrecision(6))).join(","));
  if (chart.log !== chart.data.y.log) parts.push("log=" + Number(chart.log));
  if (!chart.runs) parts.push("runs=0");
  history.replaceState(null, "", "#" + parts.join("&"));
}

function make(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

class Chart {
  constructor(box) {
    this.box = box;
    this.data = JSON.parse(box.querySelector("script").textContent);
    this.names = [];
    for (const p of this.data.panels) for (const s of p.series) if (!this.names.includes(s.name)) this.names.push(s.name);
    this.hidden = new Set(this.data.panels.flatMap((p) => p.series).filter((s) => s.hidden).map((s) => this.names.indexOf(s.name)));
    this.log = this.data.y.log;
    this.runs = true;
    this.zoom = null;
    this.take(readAddress());
    this.tip = make("div", { class: "tip", role: "status" });
    this.bar = make("div", { class: "bar" });
    this.body = make("div", { class: "panels" });
    box.append(this.bar, this.body, this.tip);
    this.draw();
  }
  take({ name, state }) {
    if (name !== this.data.name) return;
    if (state.hide !== undefined) this.hidden = new Set(state.hide.split(",").filter(Boolean).map(Number));
    if (state.x) this.zoom = state.x.split(",").map(Number);
    if (state.log) this.log = state.log === "1";
    if (state.runs) this.runs = state.runs === "1";
  }
  button(text, pressed, act, colour) {
    const b = make("button", { type: "button", "aria-pressed": String(pressed) }, text);
    if (colour) b.style.setProperty("--key", colour);
    b.addEventListener("click", () => { act(); writeAddress(this); this.draw(); });
    this.bar.append(b);
  }
  toggles() {
    this.bar.replaceChildren();
    this.names.forEach((name, i) => {
      if (name) this.button(name, !this.hidden.has(i), () => this.hidden.has(i) ? this.hidden.delete(i) : this.hidden.add(i), this.colour(i));
    });
    if (!this.data.stepped) this.button("single runs", this.runs, () => { this.runs = !this.runs; });
    if (!this.data.curves) this.button("logarithmic", this.log, () => { this.log = !this.log; });
    if (this.zoom) this.button("whole", false, () => { this.zoom = null; });
  }
  colour(i) { const palette = palettes[dark.matches ? "dark" : "light"]; return palette[i % palette.length]; }
  draw() {
    const focus = this.bar.contains(document.activeElement) ? [...this.bar.children].indexOf(document.activeElement) : -1;
    this.toggles();
    if (focus >= 0 && this.bar.children[focus]) this.bar.children[focus].focus();
    for (const u of this.plots || []) u.destroy();
    this.body.replaceChildren();
    this.plots = this.data.panels.map((p) => this.panel(p));
  }
  panel(p) {
    const holder = make("div", { class: "panel" });
    this.body.append(holder);
    const places = [...new Set(p.series.flatMap((s) => s.spots.map((q) => q.x)))].sort((a, b) => a - b);
    const columns = p.series.map((s) => {
      const at = new Map(s.spots.map((q) => [q.x, q.y]));
      return places.map((x) => at.has(x) ? at.get(x) : undefined);
    });
    const floor = (v) => v == null ? v : this.log && v <= 0 ? null : v;
    const u = new uPlot(this.options(p, holder), [places, ...columns.map((c) => c.map(floor))], holder);
    u.over.addEventListener("pointermove", (e) => this.hover(u, p, e));
    u.over.addEventListener("pointerdown", (e) => this.hover(u, p, e));
    u.over.addEventListener("pointerleave", () => this.tip.classList.remove("on"));
    return u;
  }
  extent(p, key) {
    const values = [];
    for (const s of p.series) {
      if (this.hidden.has(this.names.indexOf(s.name))) continue;
      for (const q of s.spots) {
        values.push(q[key]);
        if (this.runs) for (const r of q.runs || []) values.push(r[key]);
      }
    }
    const known = values.filter((v) => v != null && (v > 0 || !this.log || key === "x"));
    return known.length ? [Math.min(...known), Math.max(...known)] : [1, 2];
  }
  options(p, holder) {
    const d = this.data, ink = css("--ink"), grid = css("--line");
    const named = d.x.names;
    const width = Math.max(240, holder.clientWidth);
    const edge = (lo, hi, log) => log && lo > 0 ? [lo / 1.2, hi * 1.2] : [lo, hi];
    const xRange = () => this.zoom || (named ? [-0.5, named.length - 0.5] : edge(...this.extent(p, "x"), d.x.log));
    const yRange = () => {
      const [lo, hi] = d.curves ? [0, 96] : this.extent(p, "y"); // shares end at 100
      return this.log ? [lo / 1.3, hi * 1.3] : [Math.min(0, lo), hi * 1.06 || 1];
    };
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid }, font: "12px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif" };
    const decades = (u, axis, lo, hi) => {
      if (!(lo > 0 && hi < Infinity)) return [];
      const digits = hi / lo > 3e3 ? [1] : hi / lo > 30 ? [1, 2, 5] : [1, 2, 3, 5, 7], at = [];
      for (let e = Math.floor(Math.log10(lo)); e <= Math.log10(hi); e++) for (const k of digits) if (k * 10 ** e >= lo && k * 10 ** e <= hi) at.push(k * 10 ** e);
      return at;
    };
    const all = (u, splits) => splits;
    const bare = (unit) => (u, splits) => splits.map((v) => v == null ? "" : unit === "s" ? short(v) : unit === "ns" || unit === "ns/op" ? time(v) : unit === "%" ? short(v) + " %" : si(v));
    const roomy = (texts) => texts.length * 55 > width ? texts.map((text, i) => i % 2 ? "" : text) : texts;
    const unit = d.x.unit && d.x.unit !== "ns" ? ", " + d.x.unit : ""; // times have theirs at every tick
    const xAxis = { ...axis, label: (d.x.title || d.x.label) + unit, space: 50, values: bare(d.x.unit) };
    const below = 66; // of what is written below a chart there is room for so much
    if (named) Object.assign(xAxis, { splits: () => named.map((_, i) => i), grid: { show: false }, ...this.places(named, (width - 64) / named.length) });
    if (d.x.log) Object.assign(xAxis, { splits: decades, filter: all, values: (u, splits) => roomy(bare(d.x.unit)(u, splits)) });
    const yAxis = { ...axis, size: 64, values: bare(d.y.unit) };
    if (this.log) Object.assign(yAxis, { splits: decades, filter: all });
    return {
      title: p.title, width, height: Math.max(260, Math.min(420, width * 0.5)) + Math.max(0, (xAxis.size || 0) - below), legend: { show: false },
      scales: { x: { time: false, distr: d.x.log ? 3 : 1, range: xRange }, y: { distr: this.log ? 3 : 1, range: yRange } },
      axes: [xAxis, yAxis],
      cursor: { points: { show: false }, y: false, drag: { x: true, y: false } },
      series: [{}, ...p.series.map((s) => {
        const i = this.names.indexOf(s.name);
        return { label: s.name, show: !this.hidden.has(i), stroke: this.colour(i), width: d.stepped ? 1 : 0,
          points: { show: false }, paths: d.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined };
      })],
      hooks: { drawClear: [(u) => this.ground(u, p)], draw: [(u) => this.marks(u, p)],
        setSelect: [(u) => { if (u.select.width > 4) { this.zoom = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]; writeAddress(this); queueMicrotask(() => this.draw()); } }] },
    };
  }
  // places writes names below their places, on several lines if need be, or upright where they have no room.
  places(names, room) {
    const lines = names.map((n) => n.split(/(?<=,) ?/)), letter = 7, longest = 30;
    const fits = lines.every((parts) => parts.every((part) => part.length * letter <= room));
    if (fits) return { values: () => lines.map((parts) => parts.join("\n")), size: 36 + 15 * Math.max(...lines.map((parts) => parts.length)) };
    const cut = names.map((n) => n.length > longest ? n.slice(0, longest - 1) + "…" : n);
    return { values: () => cut, rotate: -90, size: 16 + letter * Math.max(...cut.map((n) => n.length)) };
  }
  // ground shades the times in which nothing was answered and marks what was done.
  ground(u, p) {
    const c = u.ctx, { left, top, width, height } = u.bbox, r = devicePixelRatio;
    c.save();
    c.beginPath(); c.rect(left, top, width, height); c.clip();
    for (const s of p.silent || []) {
      const a = u.valToPos(s.from, "x", true), b = u.valToPos(s.to, "x", true);
      c.fillStyle = css("--silent"); c.fillRect(a, top, b - a, height);
    }
    for (const m of p.marks || []) {
      const x = u.valToPos(m.x, "x", true);
      c.strokeStyle = css("--soft"); c.setLineDash([2 * r, 3 * r]); c.beginPath(); c.moveTo(x, top); c.lineTo(x, top + height); c.stroke(); c.setLineDash([]);
    }
    c.restore();
  }
  // words says, over the lines, how long nothing was answered and what was done, each on the side where there is room.
  words(u, p) {
    const c = u.ctx, { left, top, width, height } = u.bbox, r = devicePixelRatio;
    const beside = (text, before, after, y) => {
      const wide = c.measureText(text).width;
      const x = after + wide <= left + width ? after : before - wide >= left ? before - wide : Math.max(left, left + width - wide);
      this.write(c, text, x, y);
    };
    const seen = (x) => x >= left && x <= left + width;
    c.save();
    c.font = 11 * r + "px system-ui, sans-serif"; c.textAlign = "left"; c.textBaseline = "alphabetic";
    c.fillStyle = css("--ink");
    for (const s of p.silent || []) {
      const a = u.valToPos(s.from, "x", true), b = u.valToPos(s.to, "x", true);
      if (b > left && a < left + width) beside(s.text, a - 4 * r, b + 4 * r, top + height - 6 * r);
    }
    c.fillStyle = css("--soft");
    (p.marks || []).forEach((m, i) => {
      const x = u.valToPos(m.x, "x", true);
      if (seen(x)) beside(m.text, x - 4 * r, x + 4 * r, top + (12 + 12 * (i % 2)) * r);
    });
    c.restore();
  }
  // write puts words on a ground of their own, so that they are read where something is drawn already.
  write(c, text, x, y) {
    const r = devicePixelRatio, colour = c.fillStyle, size = parseFloat(c.font);
    c.globalAlpha = 0.75; c.fillStyle = css("--paper");
    c.fillRect(x - r, y - 0.85 * size, c.measureText(text).width + 2 * r, 1.1 * size);
    c.globalAlpha = 1; c.fillStyle = colour;
    c.fillText(text, x, y);
  }
  // curves draws every run as a faint line, and the median over all of them, which is dashed where most did not hold.
  curves(u, p) {
    const c = u.ctx, r = devicePixelRatio;
    const draw = (spots, broken) => {
      c.setLineDash(broken ? [3 * r, 3 * r] : []);
      c.beginPath();
      for (const q of spots) c.lineTo(u.valToPos(q.x, "x", true), u.valToPos(q.y, "y", true));
      c.stroke();
    };
    for (const median of [false, true]) {
      p.series.forEach((s) => {
        const i = this.names.indexOf(s.name);
        if (this.hidden.has(i)) return;
        c.strokeStyle = this.colour(i); c.globalAlpha = median ? 1 : 0.35; c.lineWidth = (median ? 2.5 : 1) * r;
        if (median) draw(s.spots, s.spots[0].fill === 2);
        else if (this.runs) s.spots[0].runs.forEach((run, n) => draw(s.spots.map((q) => q.runs[n]), !run.held));
      });
    }
  }
  // marks draws single runs, then medians, then intervals over them, and how many runs held.
  marks(u, p) {
    if (this.data.stepped) { this.words(u, p); return; }
    const c = u.ctx, r = devicePixelRatio, { left, top, width, height } = u.bbox;
    c.save();
    c.beginPath(); c.rect(left, top, width, height); c.clip();
    if (this.data.curves) { this.curves(u, p); c.restore(); return; }
    const before = new Map();
    this.each(u, p, (s, q, colour, x, y) => {
      const from = before.get(s);
      before.set(s, { x, y, fill: q.fill });
      if (!q.join || !from) return;
      const figures = q.fill < 2 && from.fill < 2; // at both ends
      c.strokeStyle = colour; c.lineWidth = (figures ? 1.5 : 0.8) * r; c.setLineDash(figures ? [] : [2 * r, 3 * r]);
      c.beginPath(); c.moveTo(from.x, from.y); c.lineTo(x, y); c.stroke();
    });
    c.setLineDash([]);
    this.each(u, p, (s, q, colour, x, y) => {
      c.globalAlpha = 0.5;
      c.fillStyle = c.strokeStyle = colour;
      for (const run of this.runs ? q.runs || [] : []) {
        if (run.y == null || this.log && run.y <= 0) continue;
        c.beginPath(); c.arc(u.valToPos(run.x, "x", true) + (this.data.x.names ? s.aside * r : 0), u.valToPos(run.y, "y", true), 2 * r, 0, 7);
        run.held ? c.fill() : c.stroke();
      }
      c.globalAlpha = 1;
      if (q.bound) { const b = u.valToPos(q.bound, "y", true); c.setLineDash([4 * r, 2 * r]); c.beginPath(); c.moveTo(x - 9 * r, b); c.lineTo(x + 9 * r, b); c.stroke(); c.setLineDash([]); }
      c.lineWidth = 1.5 * r;
      c.beginPath(); c.arc(x, y, 4 * r, 0, 7); c.fillStyle = css("--paper"); c.fill();
      c.fillStyle = colour;
      if (q.fill === 0) c.fill();
      c.stroke();
      if (q.fill === 1) { c.beginPath(); c.arc(x, y, 4 * r, 0, Math.PI); c.fill(); }
    });
    const taken = [];
    this.each(u, p, (s, q, colour, x, y) => { taken.push([x - 5 * r, y - 5 * r, x + 5 * r, y + 5 * r]); });
    this.each(u, p, (s, q, colour, x, y) => {
      c.strokeStyle = css("--ink"); c.lineWidth = r;
      if (q.fill < 2 && (q.lo ?? q.hi) != null && q.lo !== q.hi) {
        const end = (v, away) => v == null ? y + away * 14 * r : Math.min(Math.max(u.valToPos(v, "y", true), top), top + height);
        const lo = end(q.lo, 1), hi = end(q.hi, -1);
        c.beginPath(); c.moveTo(x, lo); c.lineTo(x, hi);
        for (const [v, at, away] of [[q.lo, lo, 1], [q.hi, hi, -1]]) {
          if (v == null) { c.moveTo(x - 3 * r, at - away * 3 * r); c.lineTo(x, at); c.lineTo(x + 3 * r, at - away * 3 * r); }
          else { c.moveTo(x - 3 * r, at); c.lineTo(x + 3 * r, at); }
        }
        c.stroke();
      }
      if (q.note) this.note(c, u.bbox, taken, q.note.replace("held in ", ""), x, y);
    });
    c.restore();
  }
  // note says beside a spot how many runs held, where there is room; a pointer is told anyway.
  note(c, { left, top, width, height }, taken, text, x, y) {
    const r = devicePixelRatio;
    c.font = 10 * r + "px system-ui, sans-serif"; c.fillStyle = css("--ink"); c.textAlign = "left"; c.textBaseline = "alphabetic";
    const wide = c.measureText(text).width, high = 10 * r;
    for (const [right, down] of [[7 * r, -5 * r], [-7 * r - wide, -5 * r], [7 * r, 12 * r], [-7 * r - wide, 12 * r], [-wide / 2, -9 * r], [-wide / 2, 17 * r]]) {
      const a = x + right, b = y + down;
      const free = !taken.some(([l, t, rt, bm]) => a < rt && a + wide > l && b - high < bm && b > t);
      if (!free || a < left || a + wide > left + width || b - high < top || b > top + height) continue;
      taken.push([a, b - high, a + wide, b]);
      c.fillText(text, a, b);
      return;
    }
  }
  // each visits the spots that are seen, with their places on the canvas.
  each(u, p, visit) {
    p.series.forEach((s, n) => {
      const i = this.names.indexOf(s.name);
      if (this.hidden.has(i)) return;
      s.aside = this.data.apart ? 9 * (n - (p.series.length - 1) / 2) : 0;
      for (const q of s.spots) {
        if (q.y == null || this.log && q.y <= 0) continue;
        visit(s, q, this.colour(i), u.valToPos(q.x, "x", true) + s.aside * devicePixelRatio, u.valToPos(q.y, "y", true));
      }
    });
  }
  hover(u, p, e) {
    const r = devicePixelRatio, box = u.over.getBoundingClientRect();
    const mx = (e.clientX - box.left) * r + u.bbox.left, my = (e.clientY - box.top) * r + u.bbox.top;
    let best = null, least = Infinity;
    this.each(u, p, (s, q, colour, x, y) => {
      const distance = this.data.stepped ? Math.abs(x - mx) + Math.abs(y - my) / 10 : Math.hypot(x - mx, y - my);
      if (distance < least) { least = distance; best = [s, q]; }
    });
    if (!best || least > 60 * r) { this.tip.classList.remove("on"); return; }
    this.tip.textContent = this.describe(...best);
    this.tip.classList.add("on");
    const own = this.box.getBoundingClientRect();
    const left = Math.min(e.clientX - own.left + 14, own.width - this.tip.offsetWidth - 4);
    this.tip.style.left = Math.max(0, left) + "px";
    this.tip.style.top = e.clientY - own.top + 16 + "px";
  }
  describe(s, q) {
    const d = this.data, x = d.x.names ? d.x.names[q.x] : spell(d.x.unit, q.x);
    const lines = [[s.name, d.x.label + " " + x].filter(Boolean).join(", ")];
    lines.push(d.y.label + ": " + (q.fill === 2 && !d.curves ? "none; " + spell(d.y.unit, q.y) + " as measured" : spell(d.y.unit, q.y)));
    if (q.lo != null || q.hi != null) lines.push("interval: " + spell(d.y.unit, q.lo) + " to " + spell(d.y.unit, q.hi));
    if (q.held) lines.push(q.held);
    if (q.bound) lines.push("bound: " + spell(d.y.unit, q.bound));
    if (q.runs) lines.push("runs: " + q.runs.map((r) => d.curves ? spell(d.x.unit, r.x) : spell(d.y.unit, r.y)).map((v, i) => q.runs[i].held ? v : "(" + v + ")").join(", "));
    return lines.join("\n");
  }
}

const charts = Array.from(document.querySelectorAll(".chart"), (box) => new Chart(box));
document.documentElement.classList.add("drawn");
const redraw = () => charts.forEach((c) => c.draw());
dark.addEventListener("change", redraw);
let pending = 0;
addEventListener("resize", () => { clearTimeout(pending); pending = setTimeout(redraw, 150); });
addEventListener("hashchange", () => { const address = readAddress(); charts.forEach((c) => { c.take(address); c.draw(); }); });
const seen = charts.find((c) => c.data.name === readAddress().name);
if (seen) seen.box.scrollIntoView();
