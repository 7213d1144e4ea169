"use strict";
const drawing = document.querySelector("svg");
const boxes = new Map([...document.querySelectorAll(".box")].map(box => [box.dataset.id, box]));
const arrows = [...document.querySelectorAll(".arrow")];
const about = document.getElementById("about");
const first = about.textContent;

function reach(start, from, to) {
  const found = new Set(start);
  for (const id of found)
    for (const arrow of arrows)
      if (arrow.dataset[from] === id) found.add(arrow.dataset[to]);
  return found;
}

function show(picked) {
  const needs = reach(picked, "from", "to"), users = reach(picked, "to", "from");
  drawing.classList.toggle("chosen", picked.length > 0);
  for (const [id, box] of boxes) {
    box.classList.toggle("on", needs.has(id) || users.has(id));
    box.classList.toggle("picked", picked.includes(id));
  }
  for (const arrow of arrows) {
    const {from, to} = arrow.dataset;
    const on = (needs.has(from) && needs.has(to)) || (users.has(from) && users.has(to));
    arrow.classList.toggle("on", on);
  }
  about.textContent = picked.length === 0 ? first : picked.length > 1
    ? `${picked.length} boxes` : `${boxes.get(picked[0]).dataset.title}. `
      + `It needs ${needs.size - 1}, and ${users.size - 1} boxes need it.`;
}

drawing.addEventListener("click", event => {
  const box = event.target.closest(".box");
  show(box && !box.classList.contains("picked") ? [box.dataset.id] : []);
});
drawing.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.matches(".box")) show([event.target.dataset.id]);
  if (event.key === "Escape") show([]);
});
document.getElementById("filter").addEventListener("input", event => {
  const word = event.target.value.trim().toLowerCase();
  const ids = [...boxes].filter(([, box]) => box.dataset.title.toLowerCase().includes(word));
  show(word ? ids.map(([id]) => id) : []);
});
