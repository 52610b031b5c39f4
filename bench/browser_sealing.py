"""Sealing 300 MB in Chromium beside Python in the same run: MB/s of the whole work and of its parts, and memory.

    python bench/browser_sealing.py [MB]

The whole work in the browser is what a bidder waits for: reading the file for its hash, sealing, the recovery file
(Argon2id), and the self-test that opens everything again. Python does the same by its own modules. The browser writes
to its private file system in a folder of its own, as it does for a bidder; memory is the resident set of the page's
process, before and at its peak.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from crypto import signing  # noqa: E402
from crypto.sealing import body, envelope, header, lock, manifest, recovery  # noqa: E402
from tests.browser.conftest import CHROMIUM, NAMES  # noqa: E402
from tests.browser.sealing import open_page, served  # noqa: E402
from tests.browser.test_sealing import Bidding  # noqa: E402

SEAL = """async ([name, given]) => {
    const worker = new Worker("/sealing/worker.js", { type: "module" });
    const { fromHex } = await import("/sealing/primitives/bytes.js");
    const { decodeRoster } = await import("/sealing/envelope/roster.js");
    const { spkiOf } = await import("/sealing/ledger/certificates.js");
    const certificate = fromHex(given.certificate);
    const p256 = { name: "ECDSA", namedCurve: "P-256" };
    const key = await crypto.subtle.importKey("pkcs8", fromHex(given.pkcs8), p256, false, ["sign"]);
    const { tender } = given;
    const file = document.querySelector("input").files[0];
    const at = {};
    const started = performance.now();
    const answer = await new Promise((resolve) => {
        worker.onmessage = ({ data }) => {
            if (!data.progress) return resolve(data);
            at[data.progress.phase] = performance.now() - started;
        };
        worker.postMessage({ call: "seal", args: {
            name, key, identity: { certificate, spki: spkiOf(certificate), bidder: given.bidder }, version: 1,
            opening: given.opening, passphrase: "bench bench", environment: { program: "bench" },
            tender: { lot: tender.lot, tenderId: fromHex(tender.tender_id), envelopes: [0, 1],
                      roster: decodeRoster(fromHex(tender.roster)), plaintextMax: tender.plaintext_max },
            files: [{ blob: file, name: "技术标.bin", envelope: 1 }] } });
    });
    return { seconds: (performance.now() - started) / 1000, at, bytes: answer.result?.blob.size,
             stored: answer.result?.stored, wrong: answer.refused ?? answer.failed ?? null };
}"""


def main() -> int:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "技术标.bin"
        block = bytes(range(256)) * 4096
        with path.open("wb") as stream:
            for _ in range(size):
                stream.write(block)
        bytes_ = path.stat().st_size
        python(path, bytes_, Path(folder))
        browser(path, bytes_, Path(folder))
    return 0


def told(what: str, bytes_: int, seconds: float, more: str = "") -> None:
    print(f"{what}: {bytes_ / 1e6 / seconds:.0f} MB/s ({seconds:.1f} s for {bytes_ / 1e6:.0f} MB){more}", flush=True)


def python(path: Path, bytes_: int, folder: Path) -> None:
    """The same steps by crypto.sealing: hash, seal to a file, recovery file, open everything again."""
    one = Bidding("bench")
    entropy, spki = one.random.randbytes, signing.spki(one.key.public_key())
    salt, segments = entropy(32), folder / "python.body"
    started = time.perf_counter()
    facts = manifest.facts_of(path, name=path.name, media_type="application/octet-stream")
    read = time.perf_counter()
    page = manifest.build(lot="L-1", envelope=1, bidder=one.bidder, salt=salt, files=[facts])
    with segments.open("wb") as stream:
        sealed = envelope.seal(
            tender_id=one.tender_id, envelope=1, roster=one.roster, signer=one.key, spki=spki, salt=salt,
            bid_nonce=entropy(16), version=1, manifest=page, files=[path], entropy=entropy, sink=stream.write,
        )  # fmt: skip
    done = time.perf_counter()
    kept = recovery.Recovery("L-1", salt, bytes(64), (sealed.header,), (sealed.secrets,))
    recovery.read(recovery.write(kept, "bench bench", entropy=entropy), "bench bench")
    dek = body.verify_commitment(sealed.header, lock.verify_lock_section(sealed.header, one.roster, sealed.secrets))
    envelope.open_body(sealed.header, dek, stored(segments), spki=spki, lot="L-1", salt=salt)
    ended = time.perf_counter()
    told("Python, sealing alone", bytes_, done - read)
    told("Python, whole", bytes_, ended - started, f", of it reading {read - started:.1f} s")


def stored(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while segment := stream.read(header.SEGMENT_BYTES):
            yield segment


def browser(path: Path, bytes_: int, folder: Path) -> None:
    """The page's own worker, the browser's own entropy, files on its private file system."""
    from playwright.sync_api import sync_playwright

    one = Bidding("bench")
    given = {**one.given([]), "opening": {"price_fen": 1, "period_days": 1, "quality": "合格",
             "leader": {"name": "李工", "certificate": "粤1"}}}  # fmt: skip
    program = next(found for found in map(shutil.which, NAMES) if found)
    with served() as address, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"), executable_path=program, args=CHROMIUM
        )
        context.set_default_timeout(1_800_000)
        page = open_page(context, address)
        page.evaluate("() => document.body.append(Object.assign(document.createElement('input'), {type: 'file'}))")
        page.set_input_files("input", str(path))
        watch = Watch(folder / "profile")
        before = watch.now()
        with watch:
            made = page.evaluate(SEAL, ["bench.bid", given])
        assert made["wrong"] is None, made["wrong"]
        at = made["at"]
        told("Chromium, sealing alone", bytes_, (at["sealing"] - at["reading"]) / 1000)
        phases = {phase: round(ms / 1000, 1) for phase, ms in at.items()}
        told("Chromium, whole", bytes_, made["seconds"], f", ends of its parts {phases} s, stored in {made['stored']}")
        print(f"Chromium, memory of its largest process: {before:.0f} MB before, {watch.peak:.0f} MB at the peak")
        context.close()


class Watch(threading.Thread):
    """The resident set of the largest renderer of a profile, while it works, MB."""

    def __init__(self, profile: Path) -> None:
        super().__init__(daemon=True)
        self.peak, self._over, self._profile = 0.0, threading.Event(), str(profile)

    def now(self) -> float:
        listed = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout
        own = [line for line in listed.splitlines() if self._profile in line and "--type=renderer" in line]
        return max((int(line.split()[0]) / 1024 for line in own), default=0.0)

    def run(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, self.now())

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


if __name__ == "__main__":
    sys.exit(main())
