"use strict";
// Checks a statement's file in the reader's browser, as docs/statement-proof.md has it: every row is hashed here, and
// nothing of the file is sent anywhere. BLAKE2b (RFC 7693) is written out, for browsers have none; SHA-256 is theirs.
const SIGMA = "0123456789abcdef ea489fd61c02b753 b8c052fdae367194 7931dcbe265a40f8 905724afe1bc683d 2c6a0b834d75fe19 c51fed4a0763928b db7ec13950f4862a 6fe9b308c2d714a5 a2847615fb9e3cd0".split(" ").map((row) => [...row].map((one) => 2 * parseInt(one, 16)));
// Words of 64 bits as two of 32, the low one first.
const IV = Uint32Array.of(0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a, 0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19);
const v = new Uint32Array(32), m = new Uint32Array(32);
function add(a, b) { // v[a] += v[b]
  const low = v[a] + v[b];
  v[a + 1] += v[b + 1] + (low >= 0x100000000 ? 1 : 0);
  v[a] = low;
}
function addWord(a, n) { // v[a] += m[n]
  const low = v[a] + m[n];
  v[a + 1] += m[n + 1] + (low >= 0x100000000 ? 1 : 0);
  v[a] = low;
}
// v[a] = (v[a] xor v[b]) turned right by 32, 24, 16, 63 bits.
function turn32(a, b) { const low = v[a] ^ v[b]; v[a] = v[a + 1] ^ v[b + 1]; v[a + 1] = low; }
function turn24(a, b) { const low = v[a] ^ v[b], high = v[a + 1] ^ v[b + 1]; v[a] = (low >>> 24) | (high << 8); v[a + 1] = (high >>> 24) | (low << 8); }
function turn16(a, b) { const low = v[a] ^ v[b], high = v[a + 1] ^ v[b + 1]; v[a] = (low >>> 16) | (high << 16); v[a + 1] = (high >>> 16) | (low << 16); }
function turn63(a, b) { const low = v[a] ^ v[b], high = v[a + 1] ^ v[b + 1]; v[a] = (low << 1) | (high >>> 31); v[a + 1] = (high << 1) | (low >>> 31); }
function mix(a, b, c, d, x, y) {
  add(a, b); addWord(a, x); turn32(d, a); add(c, d); turn24(b, c);
  add(a, b); addWord(a, y); turn16(d, a); add(c, d); turn63(b, c);
}
function blake2b(bytes) { // 64 bytes of any number of bytes
  const h = IV.slice();
  h[0] ^= 0x01010040;
  let at = 0;
  do {
    const block = bytes.subarray(at, at + 128);
    const padded = new Uint8Array(128);
    padded.set(block);
    at += block.length;
    const isLast = at >= bytes.length;
    const view = new DataView(padded.buffer);
    for (let n = 0; n < 32; n++) m[n] = view.getUint32(4 * n, true);
    v.set(h); v.set(IV, 16);
    v[24] ^= at;
    if (isLast) { v[28] = ~v[28]; v[29] = ~v[29]; }
    for (let round = 0; round < 12; round++) {
      const s = SIGMA[round % 10];
      mix(0, 8, 16, 24, s[0], s[1]); mix(2, 10, 18, 26, s[2], s[3]); mix(4, 12, 20, 28, s[4], s[5]); mix(6, 14, 22, 30, s[6], s[7]);
      mix(0, 10, 20, 30, s[8], s[9]); mix(2, 12, 22, 24, s[10], s[11]); mix(4, 14, 16, 26, s[12], s[13]); mix(6, 8, 18, 28, s[14], s[15]);
    }
    for (let n = 0; n < 16; n++) h[n] ^= v[n] ^ v[n + 16];
  } while (at < bytes.length);
  return new Uint8Array(h.buffer);
}

const UTF8 = new TextEncoder();
const hex = (bytes) => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
// Amounts are text of any number of digits; sums are of whole numbers of 1e-18.
const SCALE = 18;
function plain(text) { // without exponent and needless zeros: 1E-8 is 0.00000001, 7.00 is 7
  const found = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (!found) throw new Error(`${text} is no number`);
  const [, sign, whole, part = "", exponent = "0"] = found;
  const point = whole.length + Number(exponent);
  const at = Math.max(point, 1);
  const digits = `${"0".repeat(Math.max(0, 1 - point))}${whole}${part}`.padEnd(at, "0");
  const after = digits.slice(at).replace(/0+$/, "");
  const trimmed = digits.slice(0, at).replace(/^0+(?=\d)/, "") + (after && `.${after}`);
  return trimmed === "0" ? "0" : sign + trimmed;
}
function units(text) {
  const [, sign, whole, part = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(plain(text ?? "0"));
  if (part.length > SCALE) throw new Error(`${text} has too many digits`);
  return BigInt(`${sign}${whole}${part.padEnd(SCALE, "0")}`);
}
const cutLots = (text) => plain(plain(text).replace(/(\.\d{8})\d+$/, "$1"));
function micros(text) {
  if (!text) return "";
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|\+00:00)$/.exec(text);
  if (!found) throw new Error(`${text} is no time of UTC`);
  return String(BigInt(Date.parse(`${found[1]}Z`)) * 1000n + BigInt((found[2] ?? "").padEnd(6, "0")));
}
const TEXTS = ["transfer_id", "code", "debit", "credit", "caused_by", "client_id", "account_key", "component", "rule", "plan_id", "symbol", "reverses"];
const lineOf = (row) => [...TEXTS.map((name) => row[name] ?? ""), plain(row.amount), cutLots(row.lots ?? "0"), String(row.plan_version ?? 0), micros(row.occurred_at), micros(row.matures_at)].join("\n");
const MASK = (1n << 1024n) - 1n;
function numberOf(row) {
  const first = blake2b(UTF8.encode(lineOf(row)));
  return BigInt(`0x${hex(first)}${hex(blake2b(first))}`);
}
const FIGURES = ["opening", "accrued", "reversed", "payable", "rounding", "closing", "held"];
async function hashOf(statement, total) {
  const lines = ["ibflow statement 1", statement.statement_id, statement.ib_id, statement.period, micros(statement.starts_at), micros(statement.ends_at), statement.currency, ...FIGURES.map((name) => plain(statement[name] ?? "0")), String(statement.transfers ?? 0), statement.previous ?? ""];
  if (statement.replaces) lines.push(statement.replaces);
  lines.push((total & MASK).toString(16).padStart(256, "0"));
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", UTF8.encode(lines.join("\n")))));
}

// What is checked, in words: [text, whether it holds] each.
async function checkFile(text, { id = "", hash = "", previous = null, onProgress = () => {} } = {}) {
  if (!globalThis.crypto?.subtle) throw new Error("This browser hashes over https alone. Check the file with `ibflow verify --statement`.");
  const [statement, ...rows] = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  if (statement?.type !== "statement") throw new Error("This is no statement's file: its first line is no statement.");
  const pending = `ib:${statement.ib_id}:pending`;
  const sum = (some, of) => rows.filter(some).reduce((total, row) => total + of(row), 0n);
  const isClosing = (row) => row.code === "statement" || row.code === "rounding";
  const amount = (row) => units(row.amount);
  const figure = (name) => units(statement[name]);
  const accrued = sum((row) => !isClosing(row) && row.credit === pending, amount);
  const reversed = sum((row) => !isClosing(row) && row.debit === pending, amount);
  const payable = sum((row) => row.code === "statement", amount);
  const rounding = sum((row) => row.code === "rounding" && row.credit === "rounding", amount) - sum((row) => row.code === "rounding" && row.debit === "rounding", amount);
  const isOwn = (row) => row.ib_id === statement.ib_id && row.currency === statement.currency && amount(row) > 0n && (row.debit === pending) !== (row.credit === pending) && (isClosing(row) ? row.period === statement.period : !row.period) && !TEXTS.some((name) => String(row[name] ?? "").includes("\n"));
  let total = 0n;
  for (const [number, row] of rows.entries()) {
    if (number % 500 === 499) { onProgress(number + 1, rows.length); await new Promise((go) => setTimeout(go)); }
    total += numberOf(row);
  }
  const computed = await hashOf(statement, total);
  const checks = [
    [`${rows.length} rows, each once, all of ${statement.ib_id} in ${statement.currency}`, rows.length === (statement.transfers ?? 0) && new Set(rows.map((row) => row.transfer_id)).size === rows.length && rows.every(isOwn)],
    ["accrued, taken back, payable and rounding are the sums of its rows", accrued === figure("accrued") && reversed === figure("reversed") && payable === figure("payable") && rounding === figure("rounding")],
    ["opening + accrued − taken back − payable − rounding = carried", figure("opening") + figure("accrued") - figure("reversed") - figure("payable") - figure("rounding") === figure("closing")],
    [`its hash is that of its figures and rows: ${computed.slice(0, 16)}…`, computed === statement.hash],
  ];
  if (id) checks.push(["it is the statement of this page", statement.statement_id === id]);
  if (hash) checks.push(["its hash is the one published here", statement.hash === hash]);
  if (previous) checks.push([`it follows the statement of ${previous.period} that you have: its hash is in this one`, statement.previous === previous.hash && figure("opening") === units(previous.closing)]);
  return { statement, checks };
}

const read = async (path) => {
  const answer = await fetch(path, { headers: { Accept: "application/x-ndjson" } });
  if (!answer.ok) throw new Error((await answer.json()).detail ?? answer.statusText);
  return answer.text();
};
const box = document.getElementById("verify");
function show(found) {
  const out = box.querySelector("[role=status]");
  const holds = found.every(([, isTrue]) => isTrue);
  const list = document.createElement("ul");
  list.className = "checks";
  for (const [text, isTrue] of found) {
    const line = document.createElement("li"), mark = document.createElement("span"), words = document.createElement("span");
    line.className = isTrue ? "yes" : "late";
    mark.className = "mark";
    mark.textContent = isTrue ? "✓" : "✗";
    words.textContent = isTrue ? text : `not so: ${text}`;
    line.append(mark, words);
    list.append(line);
  }
  const said = document.createElement("p");
  said.className = holds ? "holds" : "said";
  said.textContent = holds ? "It holds: checked by your browser." : "It does not hold. Keep the file, and ask the broker.";
  out.replaceChildren(said, list);
}
async function run(work) {
  const out = box.querySelector("[role=status]");
  out.textContent = "Checking…";
  try { show(await work()); } catch (error) { out.textContent = error.message; }
}
if (box) {
  const { id, hash, before } = box.dataset;
  const onProgress = (done, all) => { box.querySelector("[role=status]").textContent = `Checking… ${done.toLocaleString("en")} of ${all.toLocaleString("en")} rows`; };
  box.hidden = false;
  box.querySelector("button").addEventListener("click", () => run(async () => {
    const earlier = before ? await checkFile(await read(before), { onProgress }) : null;
    const found = await checkFile(await read(box.dataset.file), { id, hash, previous: earlier?.statement, onProgress });
    return earlier ? [...found.checks, ["and that one holds by itself", earlier.checks.every(([, isTrue]) => isTrue)]] : found.checks;
  }));
  box.querySelector("[type=file]").addEventListener("change", (event) => run(async () => (await checkFile(await event.target.files[0].text(), { id, hash, onProgress })).checks));
}
