// Whether this browser, at this address, can seal: asked before anything is typed (plain http has no crypto.subtle).
// Whoever is told no is pointed to the command line, which does the same (docs/spec/bidfile.md).

const ZERO = new Uint8Array(32);

/** {ok, missing: [...]} of: secure_context x25519 ed25519 workers well_formed_texts indexeddb. */
export async function supported() {
  const missing = [];
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) return { ok: false, missing: ["secure_context"] };
  const can = async (name, attempt) => {
    try {
      await attempt();
    } catch {
      missing.push(name);
    }
  };
  await can("x25519", async () => {
    const pair = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
    await crypto.subtle.deriveBits({ name: "X25519", public: pair.publicKey }, pair.privateKey, 256);
    await crypto.subtle.exportKey("jwk", pair.privateKey);
  });
  // The base point is a key like any other; a false signature must be answered, not refused as unknown.
  const point = Uint8Array.from([0x58, ...Array(31).fill(0x66)]);
  await can("ed25519", async () => {
    const key = await crypto.subtle.importKey("raw", point, { name: "Ed25519" }, false, ["verify"]);
    await crypto.subtle.verify({ name: "Ed25519" }, key, new Uint8Array(64), ZERO);
  });
  await can("workers", async () => {
    if (typeof Worker !== "function") throw new Error("no workers");
  });
  await can("well_formed_texts", async () => {
    if (!"".isWellFormed()) throw new Error("no isWellFormed");
  });
  await can("indexeddb", async () => {
    if (!globalThis.indexedDB) throw new Error("no IndexedDB");
  });
  return { ok: missing.length === 0, missing };
}
