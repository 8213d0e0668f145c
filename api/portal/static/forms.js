"use strict";
// Forms that ask the API. Read before the page is, so that no form is shown which this does not serve yet.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) key in element ? (element[key] = value) : element.setAttribute(key, value);
  element.append(...children);
  return element;
};

// A sentence of the API: its `backticked` words are code.
const prose = (text) => text.split("`").map((part, n) => (n % 2 ? make("code", {}, part) : part));

// A form that asks the API: JSON out, a problem's sentence back.
const asJson = (form) => {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || field.dataset.path || (field.type === "checkbox" && !field.checked)) continue;
    const value = field.dataset.json ? JSON.parse(field.value) : field.value;
    const [name, inner] = field.name.split(".");
    if ("list" in field.dataset) body[field.name] = value.split(/[\s,]+/).filter(Boolean);
    else if (field.dataset.many) (body[name] ??= []).push(value);
    else if (value === "" && !field.required) continue;
    else if (inner) (body[name] ??= {})[inner] = value;
    else body[name] = value;
  }
  return body;
};
// What came of it, in words, where the page stays.
const inWords = (told) => {
  if (told.records) return told.why ? `Still nothing: ${told.why}` : `It would become ${told.records.join("; ")}.`;
  if (told.secret) return `Done. Its secret, shown this once: ${told.secret}`;
  if (told.outcome) return `${told.outcome}${told.http_status ? `, status ${told.http_status}` : ""} after ${told.duration_ms} ms. ${told.error || told.answer || ""}`;
  if (told.settled !== undefined) return `${told.settled} credited, ${told.rejected} rejected, ${told.unknown.length} of which nothing is known, ${told.left} left: ask again for those.`;
  return told.replayed === undefined ? "Done." : `${told.replayed} sent again.`;
};
// What is sent once more unchanged has the key it had; anything else has another.
const keyOf = (form, by) => {
  const asked = `${by?.dataset.api ?? ""} ${JSON.stringify(asJson(form))}`;
  if (form.dataset.asked !== asked) form.dataset.key = crypto.randomUUID?.() ?? String(Math.random());
  form.dataset.asked = asked;
  return form.dataset.key;
};
async function ask(form, by) {
  const said = form.querySelector("[role=alert]") ?? form.appendChild(make("p", { className: "said", role: "alert" }));
  said.setAttribute("role", "alert");
  const buttons = all("button", form);
  buttons.forEach((button) => (button.disabled = true));
  said.textContent = "";
  try {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": keyOf(form, by) };
    const csrf = document.querySelector('meta[name="csrf"]')?.content;
    if (csrf) headers["X-CSRF-Token"] = csrf;
    const file = form.dataset.upload && form.querySelector("[type=file]").files[0];
    if (file) headers["Content-Type"] = "application/octet-stream";
    const wanted = by?.dataset.api ?? form.dataset.api;
    const asked = asJson(form);
    const query = "query" in form.dataset ? `?${new URLSearchParams(asked)}` : "";
    const body = { ...JSON.parse(form.dataset.base ?? "{}"), ...(query ? {} : asked) };
    if (by?.dataset.only) for (const name of Object.keys(body)) if (name !== by.dataset.only) delete body[name];
    const path = file ? `${form.dataset.upload}?source=${encodeURIComponent(file.name)}` : `${wanted.replace("{ib}", () => encodeURIComponent(form.elements.ib.value))}${query}`;
    const answer = await fetch(path, { method: form.dataset.method ?? "POST", headers, body: file || JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail ?? answer.statusText);
    form.dataset.asked = ""; // it is done: asked for again, it is another
    if ((by && "show" in by.dataset) || "show" in form.dataset) {
      said.setAttribute("role", "status");
      said.replaceChildren(...prose(inWords(told)));
      buttons.forEach((button) => (button.disabled = false));
      return;
    }
    if ("wait" in form.dataset) await new Promise((go) => setTimeout(go, 1500)); // until it is stored
    if (told.file_base64) {
      const bytes = Uint8Array.from(atob(told.file_base64), (letter) => letter.charCodeAt(0));
      make("a", { href: URL.createObjectURL(new Blob([bytes])), download: form.dataset.file ?? "file" }).click();
    }
    if (told.shortened?.length) alert(`Longer than the format has room for, and cut: ${told.shortened.slice(0, 20).map((one) => `the ${one.text} of ${one.ib_id}`).join(", ")}${told.shortened.length > 20 ? ` and ${told.shortened.length - 20} more` : ""}.`);
    if (file) alert(`${told.recorded} recorded, ${told.repeated} known before, ${told.pending} pending, ${told.refused_count} refused, ${told.unmatched_count} without a line of ours.`);
    location.assign((form.dataset.next ?? location.href).replace("{id}", encodeURIComponent(told.batch_id ?? told.change_id ?? told.proposal_id ?? "")));
  } catch (error) {
    said.replaceChildren(...prose(error.message));
    buttons.forEach((button) => (button.disabled = false));
  }
}
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.api && !event.target.dataset.upload) return;
  event.preventDefault();
  ask(event.target, event.submitter);
});
