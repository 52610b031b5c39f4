"""Sealing 300 MiB in Chromium beside Python in the same run: MB/s of the whole work and of sealing alone, and memory.

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

import measure

sys.path.insert(0, str(measure.ROOT))

from crypto import signing
from crypto.sealing import body, envelope, header, lock, manifest, recovery
from tests.browser.conftest import CHROMIUM, NAMES
from tests.browser.sealing import open_page, served
from tests.browser.test_sealing import Bidding

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


def table(small: bool) -> measure.Table:
    """The same file by Python and by Chromium."""
    size = 8 if small else 300
    made = measure.Table(
        "browser_sealing",
        "Sealing in the browser",
        f"A file of {size} MiB sealed on the bidder's own machine: in Chromium as a page does it, one worker that "
        "writes to the browser's private file system, and by Python's modules over OpenSSL. *Whole* is what a bidder "
        "waits for: reading for the hash, sealing, the recovery file (Argon2id), and the self-test that opens "
        "everything again.",
    )
    with tempfile.TemporaryDirectory(dir=measure.ROOT / "build") as folder:
        path = Path(folder) / "技术标.bin"
        block = bytes(range(256)) * 4096
        with path.open("wb") as stream:
            for _ in range(size):
                stream.write(block)
        alone, whole = python(path, Path(folder))
        page, waited, grown = browser(path, Path(folder))
    million = size * len(block) / 1e6
    made.add("Chromium, sealing alone", million / page, "MB/s", beside="Python", beside_value=million / alone)
    made.add("Chromium, whole", million / waited, "MB/s", beside="Python", beside_value=million / whole)
    made.add("Chromium, the whole of it", waited, "s", beside="Python", beside_value=whole)
    made.add("Chromium, growth of the page's process", grown, "MiB", beside="the file, MiB", beside_value=size)
    return made


def python(path: Path, folder: Path) -> tuple[float, float]:
    """The same steps by crypto.sealing: hash, seal to a file, recovery file, open everything again. Seconds of sealing
    alone, and of the whole."""
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
    return done - read, ended - started


def stored(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while segment := stream.read(header.SEGMENT_BYTES):
            yield segment


def browser(path: Path, folder: Path) -> tuple[float, float, float]:
    """The page's own worker, the browser's own entropy, files on its private file system. Seconds of sealing alone, of
    the whole, and MiB by which the page's process grew."""
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
        watch = Watch()
        before = watch.now()
        with watch:
            made = page.evaluate(SEAL, ["bench.bid", given])
        assert made["wrong"] is None, made["wrong"]
        assert made["stored"] == "files", "a bidder's browser writes to its private file system"
        context.close()
    at = made["at"]
    return (at["sealing"] - at["reading"]) / 1000, made["seconds"], watch.peak - before


class Watch(threading.Thread):
    """The resident set of the largest page on this machine, while it works, MiB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._over = 0.0, threading.Event()

    def now(self) -> float:
        listed = subprocess.run(["ps", "-eo", "rss,args"], capture_output=True, text=True, check=True).stdout
        pages = [line for line in listed.splitlines() if "--type=renderer" in line]
        return max(int(line.split()[0]) / 1024 for line in pages)

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
    measure.main(table)
