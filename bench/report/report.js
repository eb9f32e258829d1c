// Sorts a table by the column whose heading is clicked: numbers by their keys and before texts, texts by their letters.
"use strict";
function compare(a, b) {
  const x = a.dataset.key, y = b.dataset.key;
  if (x !== undefined && y !== undefined) return Number(x) - Number(y);
  if (x !== undefined || y !== undefined) return x !== undefined ? -1 : 1;
  return a.textContent.localeCompare(b.textContent);
}
function sortBy(heading) {
  const table = heading.closest("table"), body = table.tBodies[0];
  const turn = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", turn === 1 ? "ascending" : "descending");
  const rows = Array.from(body.rows);
  rows.sort((a, b) => turn * compare(a.cells[heading.cellIndex], b.cells[heading.cellIndex]));
  body.append(...rows);
}
function headingOf(event) {
  return event.target.closest("table.sortable th");
}
// save offers a table as a file of comma-separated values, in the order it is sorted in.
function save(table) {
  const quoted = (cell) => '"' + cell.textContent.replaceAll('"', '""') + '"';
  const text = Array.from(table.rows, (row) => Array.from(row.cells, quoted).join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(text);
  link.download = (table.closest("section").id || "table") + ".csv";
  link.click();
}
document.addEventListener("click", (event) => {
  const heading = headingOf(event);
  if (heading) sortBy(heading);
  if (event.target.matches("button.csv")) save(event.target.parentElement.querySelector("table"));
});
document.addEventListener("keydown", (event) => {
  const heading = headingOf(event);
  if (heading && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    sortBy(heading);
  }
});
