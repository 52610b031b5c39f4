// Withdrawing a bid: signed with the key in this browser, under a tender that was proved, the receipt verified here.
import { Session, keys, supported } from "/sealing/seal.js";
import { requireFields } from "/sealing/ledger/receipt.js";
import { fromHex, toHex } from "/sealing/primitives/bytes.js";
import { p256Signer } from "/sealing/primitives/signing.js";
import { receiptOf, withdraw } from "/sealing/upload.js";
import { cannot, keyOf } from "./keyring.js";
import { moment, word, wrong } from "./telling.js";
import { trustOf } from "./trust.js";

const page = document.querySelector("[data-withdraw]");
const { lot, organisation, csrf, keys: living, digest, receipts } = page.dataset;
const version = Number(page.dataset.version);
const part = (name) => page.querySelector(`[data-${name}]`);
const session = new Session(lot, { hall: { headers: { "x-csrf-token": csrf } } });
let identity = null;

const { ok, missing } = await supported();
if (ok) {
  document.querySelector("[data-cannot]").open = false;
  page.hidden = false;
  trustOf(session, async (told) => {
    part("key").hidden = true;
    if (!told) return;
    identity = await keyOf(part("key"), organisation, living.split(" "));
    part("go").hidden = identity === null;
  });
  part("now").addEventListener("click", act);
} else {
  cannot(document.querySelector("[data-cannot]"), missing);
}

async function act() {
  const problem = part("wrong-withdraw");
  if (!page.querySelector("#w-sure").checked) return wrong(problem, word("sure_first"));
  const known = await keys.recall(lot, version);
  if (known && known.d !== digest) return wrong(problem, word("digest_differs"));
  await wrong(problem, null);
  part("now").disabled = true;
  try {
    const { tenderId } = session.tender;
    const { certificate, key } = identity;
    const d = fromHex(digest, 32);
    const done = await withdraw(session.hall, { lot, tenderId, version, d, certificate, sign: p256Signer(key) });
    const receipt = done.receipt ?? (await receiptOf(session.hall, done.event));
    let sentence = word("waiting");
    if (receipt) {
      const expected = { kind: "withdraw", tender_id: toHex(tenderId), version, d: digest, signature: done.signature };
      const proved = requireFields(await session.verifyReceipt(receipt), expected);
      if (known) await keys.remember({ ...known, stage: "withdrawn", event: done.event, receipt });
      sentence = word("withdrawn", { n: proved.index, at: moment(proved.event.public.at) });
    }
    part("done-told").textContent = sentence;
    part("receipt-page").href = receipts + "/" + encodeURIComponent(done.event);
    part("go").hidden = true;
    part("done").hidden = false;
  } catch (error) {
    part("now").disabled = false;
    await wrong(problem, error);
  }
}
