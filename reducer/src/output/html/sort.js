"use strict";
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const value = (row) => {
      const cell = row.cells[column];
      const time = cell.querySelector("time");
      return time ? time.dateTime.replace(/Z$/, "") : cell.dataset.v ?? cell.textContent;
    };
    const compare = (left, right) => {
      const numbers = [Number(left), Number(right)];
      if (!numbers.some(Number.isNaN)) return numbers[0] - numbers[1];
      return left < right ? -1 : left > right ? 1 : 0;
    };
    button.addEventListener("click", () => {
      const falls = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [value(row), row]);
      // What has no value stands last either way.
      rows.sort(([left], [right]) =>
        (left === "") - (right === "") || compare(left, right) * (falls ? -1 : 1));
      body.append(...rows.map((row) => row[1]));
    });
  });
}
