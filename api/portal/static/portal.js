"use strict";
// Every page works without this script; it saves clicks: zones, sorting, columns, CSV, keys.

// Times in the reader's zone, UTC on hover.
const two = (number) => String(number).padStart(2, "0");
function localTimes(root) {
  for (const time of all("time[data-to]", root)) {
    const at = new Date(time.dateTime);
    if (time.title || isNaN(at)) continue;
    time.title = `${time.textContent.replace(/ UTC$/, "")} UTC`;
    time.textContent = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}` + (time.dataset.to === "s" ? `:${two(at.getSeconds())}` : "");
  }
}
const zone = document.getElementById("zone");
if (zone) zone.textContent = `Times are in your zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}; point at one for UTC.`;

// Lists: sort, filter, choose columns, take what is shown as CSV.
const value = (cell) => {
  const exact = cell?.querySelector(".num[title], time");
  const text = exact ? exact.dateTime || exact.title.split(" ")[0] : cell?.textContent.trim() ?? "";
  const number = Number(text.replaceAll(",", "").replace("−", "-"));
  return text === "" || isNaN(number) ? text.toLowerCase() : number;
};
const order = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? 1 : -1);

function sortable(table) {
  all("thead th", table).forEach((head, column) => {
    if (!head.textContent.trim() || head.querySelector(".sr, a, button")) return;
    const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
      all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down < 0 ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
      rows.sort(([a], [b]) => order(a, b) * down);
      body.append(...rows.map(([, row]) => row));
    });
  });
}

const cellText = (cell) => {
  const exact = cell.querySelector(".num[title], time");
  return plainText(exact && !cell.querySelector(".cur") ? exact.dateTime || exact.title.split(" ")[0] : cell.innerText.trim().replace(/\s+/g, " "));
};
const plainText = (text) => {
  const safe = /^[=+@\t\r]|^-(?![\d.]+$)/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};
// An amount with its currency is two cells of a file: a number to add up, and the currency beside it.
const amountText = (cell) => {
  const exact = cell.querySelector(".num[title]");
  const isAlone = exact?.querySelector(".cur") && exact.innerText.trim() === cell.innerText.trim();
  return isAlone ? exact.title.split(" ").map(plainText) : [cellText(cell), ""];
};
function saveCsv(table) {
  const head = table.tHead.rows[0], rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const isNamed = [...head.cells].map((_, n) => rows.some((row) => row.cells[n]?.querySelector(".cur")));
  const line = (row, named) => [...row.cells].flatMap((cell, n) => cell.hidden || cell.matches(".bare") ? [] : isNamed[n] ? named(cell) : [cellText(cell)]).join(",");
  const lines = [line(head, (cell) => [cellText(cell), plainText(`${cell.innerText.trim()} currency`)]), ...rows.map((row) => line(row, amountText))];
  // The mark in front tells Excel that it is UTF-8: without it names come out garbled.
  const url = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  make("a", { href: url, download: `${table.dataset.list}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function dress(table) {
  const tools = table.closest(".list").querySelector("[data-tools]");
  if (!tools || table.dataset.dressed) return;
  table.dataset.dressed = "yes";
  [...table.tHead.rows[0].cells].forEach((head, n) => {
    if (head.querySelector(".sr")) for (const row of table.rows) row.cells[n]?.classList.add("bare");
  });
  if (table.tBodies[0].rows.length > 7 && !tools.querySelector(".find")) {
    const filter = make("input", { type: "search", className: "filter", placeholder: "Filter these rows" });
    filter.setAttribute("aria-label", "Filter these rows");
    filter.addEventListener("input", () => {
      const wanted = filter.value.trim().toLowerCase();
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    });
    tools.append(filter);
  }
  const csv = make("button", { type: "button", className: "button" }, "CSV");
  csv.title = "What is shown here, as CSV";
  csv.addEventListener("click", () => saveCsv(table));
  tools.append(csv);
  if (!("part" in table.dataset)) sortable(table); // of a part of a list the server alone knows the order
}

// The tree: what is below an IB is fetched once, and shown or not.
document.documentElement.classList.add("js");
document.addEventListener("click", (event) => {
  const toggle = event.target.closest(".toggle");
  if (!toggle) return;
  const opens = toggle.getAttribute("aria-expanded") === "false";
  toggle.setAttribute("aria-expanded", opens);
  toggle.closest("li").querySelector(":scope > ul").hidden = !opens;
});

// Keys: / searches, j and k walk rows, Escape closes what was found.
const found = document.getElementById("found");
const typing = () => document.activeElement?.matches("input, select, textarea");
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.getElementById("q");
  if (event.key === "/" && !typing()) {
    event.preventDefault();
    const shown = field?.offsetParent ? field : document.querySelector(".big-search input");
    const search = document.querySelector(".search-link");
    if (shown) shown.focus();
    else if (search) location.assign(search.href);
  } else if (event.key === "Escape" && found?.childElementCount) {
    found.replaceChildren();
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && document.activeElement?.closest(".search, .big-search, .hits")) {
    const links = all(".found a, .hits a");
    if (!links.length) return;
    event.preventDefault();
    const next = links.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    (links[next] ?? field)?.focus();
  } else if ((event.key === "j" || event.key === "k") && !typing()) {
    const links = all("table[data-list] tbody tr:not([hidden])").map((row) => row.querySelector("a")).filter(Boolean);
    const now = links.indexOf(document.activeElement);
    (links[now + (event.key === "j" ? 1 : -1)] ?? links[0])?.focus();
  }
});
document.addEventListener("click", (event) => { if (found && !event.target.closest(".search")) found.replaceChildren(); });

document.addEventListener("toggle", (event) => {
  if (event.target.open && event.target.matches(".choice")) all("details.choice[open]").forEach((one) => { if (one !== event.target) one.open = false; });
}, true);
const pick = document.getElementById("pick");
if (pick) {
  pick.classList.add("auto");
  pick.addEventListener("change", () => pick.submit());
}
function dressAll(root) {
  localTimes(root);
  all("table[data-list]", root).forEach(dress);
}
dressAll(document);
document.addEventListener("htmx:load", (event) => dressAll(event.detail.elt));

// Loading: what is fetched is marked busy; a page that takes longer shows that it is on its way.
document.addEventListener("htmx:beforeRequest", (event) => event.detail.target.setAttribute("aria-busy", "true"));
document.addEventListener("htmx:afterRequest", (event) => event.detail.target.removeAttribute("aria-busy"));
const main = document.getElementById("main");
const leaving = (is) => { document.documentElement.classList.toggle("leaving", is); is ? main?.setAttribute("aria-busy", "true") : main?.removeAttribute("aria-busy"); };
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || link.pathname.startsWith("/v1/") || (link.pathname + link.search === location.pathname + location.search && link.hash)) return;
  leaving(true);
});
document.addEventListener("submit", (event) => { if (!event.defaultPrevented && !event.target.dataset.api) leaving(true); });
addEventListener("pageshow", () => leaving(false));

// What could not be fetched says so where it would stand, and can be asked for again.
const LOST_MS = 5000;
let asking = 0;
function lost() {
  if (asking) return;
  const at = new Date();
  const banner = make("div", { className: "banner", role: "alert", id: "lost" }, make("div", { className: "wrap" }, `No connection to the server. What stands here is of ${two(at.getHours())}:${two(at.getMinutes())}; it is tried again every few seconds.`));
  document.querySelector(".bar").after(banner);
  asking = setInterval(() => fetch("/static/icon.svg", { method: "HEAD", cache: "no-store" }).then(back, () => {}), LOST_MS);
}
function back() {
  clearInterval(asking);
  asking = 0;
  document.getElementById("lost")?.remove();
}
addEventListener("offline", lost);
addEventListener("online", () => fetch("/static/icon.svg", { method: "HEAD", cache: "no-store" }).then(back, () => {}));
document.addEventListener("htmx:sendError", lost);
for (const name of ["htmx:sendError", "htmx:responseError"])
  document.addEventListener(name, (event) => {
    const { target, elt, pathInfo, xhr } = event.detail;
    const again = make("button", { type: "button", className: "button" }, "Try again");
    again.addEventListener("click", () => htmx.ajax("GET", pathInfo.finalRequestPath ?? pathInfo.requestPath, { target, source: elt, swap: "innerHTML" }));
    const why = !xhr.status ? "The server could not be reached." : xhr.status === 503 ? "The server is busy." : xhr.status === 429 ? "Too much was asked at once." : "This could not be loaded.";
    target.replaceChildren(make(target.matches("ul") ? "li" : "p", { className: "none", role: "alert" }, `${why} `, again));
  });
