"use strict";
// The list "Posted last" goes on by itself: what the feed tells is put on top, as the page would show it.
(() => {
  const { currency, from, to, after } = document.currentScript.dataset;
  const MOST = 100, EVERY_MS = 250;
  const body = document.querySelector("#newest table[data-list] tbody");
  if (!body || !window.EventSource) return;
  const COLUMNS = ["Time", "Posted", "Kind", "IB", "Client", "Symbol", "Lots", "Amount", "To", "More"];
  const shown = new Set([...body.parentElement.tHead.rows[0].cells].map((head) => head.textContent.trim()));
  const cell = (...parts) => { const one = document.createElement("td"); one.append(...parts); return one; };
  const right = (...parts) => { const one = cell(...parts); one.className = "r"; return one; };
  const link = (text, href, label) => {
    const one = document.createElement("a");
    Object.assign(one, { textContent: text, href });
    if (label) one.setAttribute("aria-label", label);
    return one;
  };
  const time = (at) => {
    const one = document.createElement("time");
    const pad = (number) => String(number).padStart(2, "0"), date = new Date(at);
    one.dateTime = at;
    one.title = `${at.slice(0, 16).replace("T", " ")} UTC`;
    one.textContent = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
    return one;
  };
  const money = (row) => {
    const one = document.createElement("span");
    const digits = new Intl.NumberFormat("en", { style: "currency", currency: /^[A-Z]{3}$/.test(row.currency) ? row.currency : "USD" }).resolvedOptions().maximumFractionDigits;
    const sign = ["reversal", "forfeit"].includes(row.code) ? "−" : "";
    one.className = "num";
    one.title = `${sign ? "-" : ""}${row.amount} ${row.currency}`;
    one.textContent = `${sign}${Number(row.amount).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${row.currency}`;
    return one;
  };
  const names = new Map([...document.querySelectorAll('a[href^="/ibs/"]')].map((one) => [decodeURIComponent(one.pathname.slice(5)), one.textContent]));
  function rowOf(row) {
    const one = document.createElement("tr"), kind = document.createElement("span");
    kind.className = `tag ${row.code.replace(/[^a-z_]/g, "")}`;
    kind.textContent = row.code.replaceAll("_", " ");
    const client = row.client_id ? [link(row.client_id, `/clients/${encodeURIComponent(row.client_id)}`)] : [];
    one.append(
      cell(time(row.occurred_at)), cell(time(row.stored_at)), cell(kind),
      cell(link(names.get(row.ib_id) ?? row.ib_id, `/ibs/${encodeURIComponent(row.ib_id)}`)), cell(...client),
      cell(row.symbol || row.component.replaceAll("_", " ")), right(Number(row.lots) ? row.lots : ""), right(money(row)),
      cell(), right(link("Why?", `/transfers/${encodeURIComponent(row.transfer_id)}`, `Why transfer ${row.transfer_id} exists`)),
    );
    one.lastChild.classList.add("bare");
    [...one.cells].forEach((cell, n) => { if (!shown.has(COLUMNS[n])) cell.remove(); });
    return one;
  }
  const known = new Set([...body.querySelectorAll('a[href^="/transfers/"]')].map((one) => decodeURIComponent(one.pathname.slice(11))));
  let waiting = [], timer = 0;
  const show = () => {
    timer = 0;
    body.prepend(...waiting.reverse().slice(0, MOST).map(rowOf));
    waiting = [];
    while (body.rows.length > MOST) body.deleteRow(-1);
  };
  const feed = new EventSource(`/v1/feed?after=${encodeURIComponent(after)}`) // from what the page has;
  feed.addEventListener("transfer", (event) => {
    const row = JSON.parse(event.data), at = Date.parse(row.occurred_at);
    if (row.currency !== currency || at < Date.parse(from) || at >= Date.parse(to)) return;
    if (known.has(row.transfer_id)) return;
    waiting.push(row);
    timer ||= setTimeout(show, EVERY_MS);
  });
  // What was left out is said once, above the list, with the way to all of it.
  feed.addEventListener("gap", () => {
    const list = body.closest(".scroll");
    if (list.parentElement.querySelector("[data-gap]")) return;
    const said = document.createElement("p");
    Object.assign(said, { className: "note" });
    said.dataset.gap = "";
    said.setAttribute("role", "status");
    said.append("More was posted than is shown. ", link("Load the page again", location.href), " for the newest.");
    list.before(said);
  });
  // A feed ends by itself after a while, and the browser asks again; not once its session is over.
  feed.addEventListener("end", (event) => { if (/session|slow/.test(JSON.parse(event.data).reason)) feed.close(); });
  addEventListener("pagehide", () => feed.close());
})();
