// Verify a postback: `node verify.mjs SECRET ID TIMESTAMP SIGNATURES < body`; exits 0 if it is genuine.
// SECRET is `whsec_…` or the public key `whpk_…`. Nothing to install. Copy `verify` into your receiver.
import { createHmac, createPublicKey, timingSafeEqual, verify as verifyEd25519 } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const TOLERANCE_S = 300;
const ED25519_DER = Buffer.from("302a300506032b6570032100", "hex");

export function verify(secret, id, timestamp, signatures, body) {
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_S) return false;
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return signatures.split(" ").some((one) => fits(secret, one, content));
}

function fits(secret, signature, content) {
  const [version, text = ""] = signature.split(",");
  const given = Buffer.from(text, "base64");
  if (version === "v1" && secret.startsWith("whsec_")) {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    const due = createHmac("sha256", key).update(content).digest();
    return given.length === due.length && timingSafeEqual(given, due);
  }
  if (version === "v1a" && secret.startsWith("whpk_")) {
    const raw = Buffer.from(secret.slice("whpk_".length), "base64");
    const key = createPublicKey({ key: Buffer.concat([ED25519_DER, raw]), format: "der", type: "spki" });
    return verifyEd25519(null, content, key, given);
  }
  return false;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exit(verify(...process.argv.slice(2, 6), readFileSync(0)) ? 0 : 1);
}
