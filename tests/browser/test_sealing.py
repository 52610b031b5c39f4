"""Sealing in the browser: the same bytes as Python, opened by Python, refused where Python refuses (envelope.md)."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bidding.client import bidfile
from bidding.desk import wording
from bidding.door.sealing import scripts
from crypto import certificates, contribution, lottery, signing, trust, words
from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from crypto.sealing import body, envelope, header, hpke, lock, manifest, recovery
from crypto.terminal import Unreadable
from tests.browser import sealing
from tests.browser.sealing import Refusal, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VECTORS = Path(__file__).parents[1] / "vectors"
BIDS = json.loads((VECTORS / "browser/bids.json").read_text())
EVIDENCE = json.loads((VECTORS / "browser/evidence.json").read_text())
COMMON = {name: BIDS[name] for name in ("passphrase", "opening", "environment")}
MIB = 1_048_576
GOOD = {"trust": EVIDENCE["trust"], "lot": EVIDENCE["lot"], **EVIDENCE["good"]}
DATES = {"not_before": datetime(2026, 1, 1, tzinfo=UTC), "not_after": datetime(2030, 1, 1, tzinfo=UTC)}


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """A page that loaded the modules, under a policy that allows our own scripts only; no console error is let pass."""
    wrong: list[str] = []
    with sealing.served() as address:
        context = chromium.new_context()
        context.set_default_timeout(300_000)
        context.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        yield sealing.open_page(context, address)
        context.close()
    assert [each for each in wrong if "favicon" not in each and "404" not in each] == []


def content(seed: int, size: int) -> bytes:
    return (bytes((seed + 7 * k) % 256 for k in range(251)) * (size // 251 + 1))[:size]


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"sealbid/{name}.json").read_text())


def refused(page: Page, name: str, *given: Any) -> str:
    with pytest.raises(Refusal) as caught:
        ask(page, name, *given)
    return caught.value.code


def opened_by_trustees(
    sealed: header.Header, roster: Roster, keys: list[list[bytes]], segments: list[bytes], **known: Any
) -> tuple[envelope.Opened, list[bytes]]:
    """What the opening does: the last t trustees of each lock combine, the lock section is made again, all is read."""
    secrets = []
    for number, held in enumerate(keys):
        who = range(len(held), len(held) - roster.locks[number].t, -1)
        shares = {index: lock.share_of(sealed, number, index, held[index - 1]) for index in who}
        secrets.append(lock.combine(sealed, number, shares))
    dek = body.verify_commitment(sealed, lock.verify_lock_section(sealed, roster, secrets))
    found: dict[int, bytearray] = {}
    told = envelope.open_body(
        sealed, dek, segments, write=lambda number, piece: found.setdefault(number, bytearray()).extend(piece), **known
    )
    return told, [bytes(found.get(number, b"")) for number in range(len(told.manifest["files"]))]


def test_this_browser_can_seal_and_says_so(page: Page) -> None:
    assert ask(page, "supported") == {"ok": True, "missing": []}


def test_a_browser_without_x25519_is_told_before_anything_is_typed(page: Page) -> None:
    without = page.evaluate(
        """async () => {
            const known = SubtleCrypto.prototype.generateKey;
            SubtleCrypto.prototype.generateKey = () => Promise.reject(new DOMException("no", "NotSupportedError"));
            try { return await window.ask("supported"); } finally { SubtleCrypto.prototype.generateKey = known; }
        }"""
    )
    assert without["value"] == {"ok": False, "missing": ["x25519"]}


@pytest.mark.parametrize("case", BIDS["cases"], ids=lambda case: case["name"])
def test_same_entropy_gives_pythons_bytes_and_trustees_open_them(page: Page, case: Any, tmp_path: Path) -> None:
    made = ask(page, "bid", COMMON, case)
    whole = base64.b64decode(made.pop("file"))
    expected = {name: value for name, value in case["expected"].items() if name != "manifests"}
    assert made == expected
    assert hashlib.sha256(whole).hexdigest() == expected["file_sha256"]
    # The file is the command line's own; trustees' keys open what is in it.
    path = tmp_path / "F.bid"
    path.write_bytes(whole)
    bid = bidfile.read(path)
    keys = [[bytes.fromhex(sk) for sk in held] for held in case["trustees"]]
    known = {"spki": signing.certificate_spki(bid.certificate), "lot": bid.lot, "salt": bid.salt}
    for each in bid.envelopes:
        told, files = opened_by_trustees(each.header, bid.roster, keys, list(bid.segments(each)), **known)
        assert told.manifest_bytes.hex() == case["expected"]["manifests"][each.header.envelope]
        wanted = case["files"] if each.header.envelope else []
        assert files == [content(file["seed"], file["size"]) for file in wanted]
    kept = recovery.read(bytes.fromhex(made["recovery"]), BIDS["passphrase"])
    assert kept.headers == bid.headers and kept.lot == bid.lot


class Bidding:
    """One tender and one bidder whose keys Python holds."""

    def __init__(self, seed: str) -> None:
        drawn = random.Random(seed)
        self.random = drawn
        self.version = drawn.randrange(1, 2**32)
        shapes = drawn.choice([[(2, 3), (2, 3)], [(3, 5), (2, 3)], [(2, 3), (2, 4), (4, 5)]])
        pairs = [[hpke.generate(entropy=drawn.randbytes) for _ in range(n)] for _, n in shapes]
        self.roster = Roster(
            tuple(Lock(t, tuple(pk for _, pk in held)) for (t, _), held in zip(shapes, pairs, strict=True))
        )
        self.keys = [[sk for sk, _ in held] for held in pairs]
        self.key = signing.new_p256(entropy=drawn.randbytes)
        self.bidder = manifest.Bidder("珠江建设（集团）有限公司", "91440101MA5CTR0001")
        authority = certificates.Authority.create(
            "演练证书机构", key=signing.new_p256(entropy=drawn.randbytes), serial=1, **DATES
        )
        self.certificate = authority.issue(
            certificates.request(self.bidder.name, self.bidder.uscc, key=self.key), serial=2, **DATES
        )
        self.tender_id = drawn.randbytes(32)

    def given(self, files: list[dict[str, Any]]) -> dict[str, Any]:
        pkcs8 = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return {
            "tender": {
                "lot": "L-1",
                "tender_id": self.tender_id.hex(),
                "envelopes": [0, 1],
                "roster": self.roster.encode().hex(),
                "plaintext_max": 2**31,
            },
            "pkcs8": pkcs8.hex(),
            "certificate": self.certificate.hex(),
            "bidder": {"name": self.bidder.name, "uscc": self.bidder.uscc},
            "files": files,
            "envelope": 1,
            "version": self.version,
        }


@pytest.mark.parametrize("number", range(10))
def test_what_the_browser_seals_with_its_own_entropy_python_opens(page: Page, number: int) -> None:
    sizes = [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]
    one = Bidding(f"property {number}")
    names = ["投标函.pdf", "施工组织设计（技术标）.docx", "工程量清单·已标价.xlsx", "资质证书 𠮷.png", "café.txt"]
    one.random.shuffle(names)
    chosen = [sizes[number % len(sizes)], *one.random.choices([*sizes, one.random.randrange(200_000)], k=2)]
    files = [
        {"name": name, "size": size, "seed": at} for at, (name, size) in enumerate(zip(names, chosen, strict=False))
    ]
    made = ask(page, "envelope", one.given(files))
    data = base64.b64decode(made["body"])
    segments = [data[at : at + MIB] for at in range(0, len(data), MIB)]
    assert [hashlib.sha256(segment).hexdigest() for segment in segments] == made["leaves"]
    told, opened = opened_by_trustees(
        header.parse(bytes.fromhex(made["header"])),
        one.roster,
        one.keys,
        segments,
        spki=signing.spki(one.key.public_key()),
        lot="L-1",
        salt=bytes.fromhex(made["salt"]),
        bidder=one.bidder,
    )
    assert opened == [content(file["seed"], file["size"]) for file in files]
    assert [entry["name"] for entry in told.manifest["files"]] == [file["name"] for file in files]


def test_the_ephemeral_key_is_rfc_9180s(page: Page) -> None:
    cases = json.loads((VECTORS / "rfc9180/base-x25519-p256-aes256gcm.json").read_text())
    x25519 = [case for case in cases if case["kem_id"] == 0x20]
    assert x25519
    for case in x25519:
        made = ask(page, "hpke", {"pk": case["pkRm"], "info": case["info"], "ekm": case["ikmE"], "plaintext": "00"})
        assert made["enc"] == case["enc"]


def test_hpke_with_a_chosen_ephemeral_key_is_opened_by_the_library(page: Page) -> None:
    drawn = random.Random("hpke")
    for length in (0, 1, 32, 500):
        secret, public = hpke.generate(entropy=drawn.randbytes)
        info, ekm, plaintext = drawn.randbytes(length), drawn.randbytes(32), drawn.randbytes(length)
        given = {"pk": public.hex(), "info": info.hex(), "ekm": ekm.hex(), "plaintext": plaintext.hex()}
        made = ask(page, "hpke", given)
        assert hpke.open(secret, bytes.fromhex(made["enc"]), bytes.fromhex(made["ct"]), info) == plaintext
        assert made["enc"] == hpke.derive_key_pair(ekm)[1].hex()


def test_argon2id_and_sha256_are_those_of_everybody(page: Page) -> None:
    for cost in ((1, 1, 8, 4), (3, 4, 32, 32), (2, 3, 100, 65), (1, 4, 1024, 128)):
        passes, lanes, memory, length = cost
        library = Argon2id(salt=b"s" * 16, length=length, iterations=passes, lanes=lanes, memory_cost=memory)
        given = {"password": "e5a4a7", "salt": "73" * 16, "passes": passes, "lanes": lanes}
        given |= {"memoryKib": memory, "length": length}
        assert ask(page, "argon2", given) == library.derive(bytes.fromhex("e5a4a7")).hex()
    for size, steps in ((0, 1), (55, 7), (56, 56), (63, 9), (64, 64), (65, 1), (100_000, 4097)):
        assert ask(page, "sha256", size, steps) is True


def test_canonical_json_amounts_and_file_names_are_read_as_python_reads_them(page: Page) -> None:
    for case in vectors("jcs")["valid"]:
        assert ask(page, "jcs", case["text"]) == case["text"]
    for case in vectors("jcs")["refused"]:
        assert refused(page, "jcs", case["text"]) == case["code"], bytes.fromhex(case["text"])
    for case in vectors("amount")["valid"]:
        assert ask(page, "words", case["fen"]) == case["words"]
    for name in vectors("names")["valid"]:
        assert ask(page, "fileName", name) == name
    for case in vectors("names")["refused"]:
        assert refused(page, "fileName", case["name"]) == case["code"], ascii(case["name"])


def test_headers_rosters_and_keys_are_refused_as_python_refuses_them(page: Page) -> None:
    found = vectors("header")
    assert ask(page, "header", found["header"]) == found["header"]
    judged = 0
    for case in found["refused"]:
        try:
            header.parse(bytes.fromhex(case["header"]))
        except Exception:
            judged += 1
            assert refused(page, "header", case["header"]) == case["code"], case["name"]
    assert judged > 15
    for case in vectors("roster")["refused"]:
        assert refused(page, "roster", case["roster"]) == case["code"], case["name"]
    for case in vectors("keys")["refused"]:
        assert refused(page, "keys", [case["key"]]) == case["code"], case["name"]


def test_a_sealed_number_for_a_draw_is_pythons_byte_for_byte(page: Page) -> None:
    bidding, draws = Bidding("contribution"), []

    def draw(length: int) -> bytes:
        draws.append(bidding.random.randbytes(length))
        return draws[-1]

    spki = signing.spki(bidding.key.public_key())
    known = {"draw_id": lottery.draw_id(bidding.tender_id, 2), "tender_id": bidding.tender_id, "contributor": 3}
    signer = signing.P256Signer(bidding.key, bidding.certificate)
    made = contribution.make(**known, roster=bidding.roster, signer=signer, spki=spki, entropy=draw)
    told = ask(
        page,
        "contribution",
        {
            "tender_id": bidding.tender_id.hex(),
            "attempt": 2,
            "contributor": 3,
            "roster": bidding.roster.encode().hex(),
            "spki": spki.hex(),
            "pkcs8": bidding.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()).hex(),
            "draws": [each.hex() for each in draws],
        },
    )
    assert told["header"] == made.header.hex()
    signature = bytes.fromhex(told["signature"])
    contribution.verify(bytes.fromhex(told["header"]), signature, **known, roster=bidding.roster, spki=spki)


def test_the_roster_is_proved_under_trust_json_before_anything_is_typed(page: Page) -> None:
    proved = ask(page, "prove", GOOD)
    assert [len(places) for places in proved["seated"]] == [3, 3]
    assert {each["group"] for each in proved["seated"][1]} == {"supervision"}
    assert ask(page, "fingerprint", EVIDENCE["trust"]) == trust.load(EVIDENCE["trust"].encode()).fingerprint
    told = ask(page, "session", GOOD)
    assert told["rehearsal"] is True and told["locks"] == 2
    assert refused(page, "uncheckedSession") == "tender_not_checked"


@pytest.mark.parametrize("case", EVIDENCE["refused"], ids=lambda case: case["name"])
def test_attack_wrong_roster_or_tampered_trust(page: Page, case: Any) -> None:
    differs = {name: value for name, value in case.items() if name not in ("name", "code")}
    assert refused(page, "prove", {**GOOD, **differs}) == case["code"]


@pytest.mark.parametrize("case", EVIDENCE["receipts"], ids=lambda case: case["name"])
def test_receipts_are_graded_and_refused_in_the_page(page: Page, case: Any) -> None:
    given = {"trust": EVIDENCE["trust"], "data": case["data"]}
    if "code" in case:
        assert refused(page, "receipt", given) == case["code"]
    else:
        assert ask(page, "receipt", given) == {"grade": case["grade"], "index": case["index"]}


class Sealed:
    """A sealed file of Python's, of which one thing can be changed."""

    def __init__(self, page: Page) -> None:
        self.case = next(case for case in BIDS["cases"] if case["name"] == "no file")
        self.file = base64.b64decode(ask(page, "bid", COMMON, self.case)["file"])
        self.keep = self.case["expected"]["recovery"]


@pytest.fixture(scope="module")
def sealed(page: Page) -> Sealed:
    return Sealed(page)


def test_bid_files_that_were_changed_are_refused_as_python_refuses_them(
    page: Page, sealed: Sealed, tmp_path: Path
) -> None:
    path, drawn = tmp_path / "F.bid", random.Random("changes")
    data = sealed.file
    index_at = len(data) - 44 - int.from_bytes(data[-12:-8], "big")
    places = [0, 7, index_at - 1, index_at, len(data) - 44, len(data) - 9, len(data) - 1]
    places += [drawn.randrange(index_at, len(data)) for _ in range(10)]
    wrong = [data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :] for at in places]
    wrong += [b"", data[:-1], data[:100], data + b"\0", data[:index_at] + data[index_at - 1 :]]
    index = data[index_at:-44].decode()
    for field, other in (("version", "x"), ("lot", "roster"), (sealed.case["tender"]["tender_id"][:8], "00000000")):
        wrong.append(reindexed(data[:index_at], index.replace(field, other).encode()))
    for old, new in (('"v":1', '"v":2'), ('"v":1', '"v":1,"w":1'), ('{"', '{ "')):
        wrong.append(reindexed(data[:index_at], index.replace(old, new, 1).encode()))
    wrong.append(reindexed(data[:index_at][:-1], index.encode()))
    refusals = 0
    for changed in wrong:
        path.write_bytes(changed)
        try:
            bid = bidfile.read(path)
        except Unreadable:
            assert refused(page, "readBidFile", changed.hex()) == "bid_file_unreadable"
        except Refused as error:
            assert refused(page, "readBidFile", changed.hex()) == error.code
        else:
            # Bodies are judged segment by segment, where they go.
            assert ask(page, "readBidFile", changed.hex()) == bid.digest.hex()
            continue
        refusals += 1
    assert refusals > 15


def reindexed(bodies: bytes, index: bytes) -> bytes:
    """A bid file whose frame is right around any index."""
    return bodies + index + hashlib.sha256(index).digest() + len(index).to_bytes(4, "big") + b"FDIBLAES"


def test_attack_altered_segment(page: Page, sealed: Sealed) -> None:
    given = {"file": base64.b64encode(sealed.file).decode(), "envelope": 1, "number": 0, "at": 1000}
    assert refused(page, "segment", given) == "bid_file_changed"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tender_id": "00" * 32}, "tender"),
        ({"envelopes": [0]}, "envelope"),
        ({"roster": BIDS["cases"][1]["tender"]["roster"]}, "roster"),
        ({"at": 200}, "bid_file_changed"),
        ({"cut": -100}, "bid_file_unreadable"),
        ({"passphrase": "another passphrase"}, "recovery_passphrase"),
        ({"bidder": {"name": "别的公司", "uscc": "91440101MA5CTR0001"}}, "manifest_ids"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_self_test_says_what_the_opening_would_have_said(
    page: Page, sealed: Sealed, change: dict[str, Any], problem: str
) -> None:
    given = {"file": base64.b64encode(sealed.file).decode(), "recovery": sealed.keep}
    with pytest.raises(Refusal) as caught:
        ask(page, "selfTest", COMMON, sealed.case, given, change)
    assert (caught.value.code, caught.value.facts["problem"]) == ("self_test_failed", problem)


def test_a_file_that_changes_while_it_is_sealed_is_no_bid(page: Page) -> None:
    case = next(case for case in BIDS["cases"] if case["name"] == "some MiB")
    assert refused(page, "changedFile", COMMON, case) == "file_hash"


def test_every_code_of_the_page_has_words() -> None:
    table = words.load("crypto", "storage", "trading", "bidding", "experts", "supervision", "portal", "bidding.client")
    text = b"".join(scripts.scripts().values()).decode()
    codes = set(re.findall(r'new Refused\(\s*"([a-z_0-9]+)"', text))
    assert len(codes) > 60 and sorted(codes - set(table) - set(wording.table())) == []
