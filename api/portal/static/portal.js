"use strict";
// Everything works without this script; it saves a click or two.
const pick = document.getElementById("pick");
if (pick) {
  pick.classList.add("auto");
  pick.addEventListener("change", () => pick.submit());
}
for (const button of document.querySelectorAll("[data-tree]")) {
  button.parentElement.hidden = false;
  button.addEventListener("click", () => {
    for (const branch of document.querySelectorAll(".tree details")) branch.open = button.dataset.tree === "open";
  });
}
