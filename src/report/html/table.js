
// Sorts and filters the table. The page is complete without it.
(() => {
  const table = document.querySelector(".verdicts");
  const form = document.querySelector(".filter");
  const rows = () => [...table.tBodies[0].rows];

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
  };
  const order = (a, b) => {
    // A cell without a number goes last as text does.
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return a.localeCompare(b, "en", { numeric: true });
  };
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = rows().sort((a, b) => order(value(a, head.cellIndex), value(b, head.cellIndex)));
    table.tBodies[0].append(...(down ? sorted.reverse() : sorted));
  });

  const filter = () => {
    const wanted = form.querySelector("[type=search]").value.trim().toLowerCase();
    const kinds = new Set([...form.querySelectorAll("[type=checkbox]:checked")].map((box) => box.value));
    let left = 0;
    for (const row of rows()) {
      const shown = kinds.has(row.dataset.kind) && row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !shown;
      document.getElementById(row.dataset.case).hidden = !shown;
      left += shown;
    }
    document.querySelector(".none").hidden = left > 0;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  // A browser may have kept what was typed before the page was loaded again.
  filter();
})();
