"use strict";
// A click enlarges a frame to the whole width, one on a caller goes back; Ctrl-F or / asks for a pattern and marks what matches.
const svg = document.documentElement, frames = Array.from(document.querySelectorAll("g.f"), (g) => {
  const rect = g.querySelector("rect"), text = g.querySelector("text");
  const at = (name) => Number(rect.getAttribute(name));
  return { g, rect, text, name: g.querySelector("title").textContent.split("\n")[0], x: at("x"), y: at("y"), width: at("width") };
});
const whole = frames[0], row = 1e-3;
function short(name) { const end = name.indexOf("["); const head = end < 0 ? name : name.slice(0, end); return name.slice(head.lastIndexOf("/") + 1); }
function label(frame, width) {
  if (!frame.text) { frame.text = document.createElementNS(svg.namespaceURI, "text"); frame.text.setAttribute("y", frame.y + 12); frame.g.append(frame.text); }
  const room = Math.floor((width - 6) / 6.6), name = short(frame.name);
  frame.text.textContent = room < 3 ? "" : name.length <= room ? name : name.slice(0, room - 1) + "\u2026";
}
function zoom(to) {
  const scale = whole.width / to.width;
  for (const f of frames) {
    const above = f.y < to.y && f.x <= to.x + row && f.x + f.width >= to.x + to.width - row;
    const within = f.y >= to.y && f.x >= to.x - row && f.x + f.width <= to.x + to.width + row;
    f.g.classList.toggle("gone", !above && !within);
    f.g.classList.toggle("faded", above && to !== whole);
    if (!above && !within) continue;
    const x = above ? whole.x : whole.x + (f.x - to.x) * scale, width = above ? whole.width : f.width * scale;
    f.rect.setAttribute("x", x);
    f.rect.setAttribute("width", width);
    label(f, width);
    f.text.setAttribute("x", x + 3);
  }
}
function search(pattern) {
  let wanted;
  try { wanted = new RegExp(pattern); } catch { wanted = { test: (name) => name.includes(pattern) }; }
  let covered = 0, end = -1;
  const found = frames.filter((f) => pattern && wanted.test(f.name));
  for (const f of frames) f.g.classList.toggle("found", found.includes(f));
  for (const f of found.sort((a, b) => a.x - b.x || b.width - a.width)) if (f.x >= end - row) { covered += f.width; end = f.x + f.width; }
  const note = document.querySelector("text.found") || svg.appendChild(document.createElementNS(svg.namespaceURI, "text"));
  note.setAttribute("class", "note found");
  note.setAttribute("x", whole.x);
  note.setAttribute("y", whole.y - 1);
  note.textContent = pattern ? pattern + ": " + found.length + " frames, " + (100 * covered / whole.width).toFixed(1) + " %" : "";
}
for (const f of frames) f.g.addEventListener("click", () => zoom(f));
addEventListener("keydown", (event) => {
  if (event.key === "Escape") { search(""); zoom(whole); }
  if (event.key !== "/" && !(event.key === "f" && (event.ctrlKey || event.metaKey))) return;
  event.preventDefault();
  search(prompt("Functions whose names match:") || "");
});
