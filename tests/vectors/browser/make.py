"""Writes bids.json and evidence.json: what the browser's modules must make and refuse, byte for byte as Python does.

Run `python tests/vectors/browser/make.py` from the root of the repository; the files change only when the protocol does.
Bids are sealed by crypto.sealing and bidding.client.bidfile in the order of draws of bidding/client/sealing.py; every
draw of entropy and every signature is written down, so that another program can be given the same. Evidence comes from
the compact hall of tests/crypto/release/conftest.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bidding.client import bidfile
from crypto import certificates, jcs, signing, trust
from crypto.ledger import merkle, receipt
from crypto.roster import Lock, Roster
from crypto.sealing import envelope, header, hpke, manifest, prekeys, recovery

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LOT = "E4401000001001001000001"
PASSPHRASE = "松风 水月 2026"
OPENING = {
    "price_fen": 123_456_789,
    "period_days": 180,
    "quality": "合格",
    "leader": {"name": "李工", "certificate": "粤1442020202100001"},
}
ENVIRONMENT = {"program": "tradehall-page", "version": "0"}
CASES: dict[str, tuple[int, tuple[tuple[int, int], ...], list[tuple[str, int]]]] = {
    # name → version, (t, n) of each lock, files of the documents envelope
    "no file": (1, ((2, 3), (2, 3)), []),
    "an empty file and one byte": (2, ((2, 3), (2, 3)), [("空文件.txt", 0), ("one.bin", 1)]),
    "fills 64 KiB": (1, ((2, 3), (2, 3)), [("技术标.pdf", 65_536 - 1_000)]),
    "three locks, thresholds above two": (
        4_294_967_295,
        ((2, 3), (3, 5), (4, 6)),
        [("商务标（正本）.pdf", 70_000), ("工程量清单.xlsx", 1_048_577)],
    ),
    "some MiB": (3, ((2, 3), (2, 3)), [("施工组织设计.pdf", 3 * 1_048_576 + 7), ("附件.zip", 1_048_575)]),
}


def main() -> None:
    cases = [bid(name, *case) for name, case in CASES.items()]
    write("bids", {"passphrase": PASSPHRASE, "opening": OPENING, "environment": ENVIRONMENT, "cases": cases})
    write("evidence", evidence())


def write(name: str, value: Any) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n", "ascii")


def content(seed: int, size: int) -> bytes:
    """File contents that any language makes in one line: byte k is (seed + 7 (k mod 251)) mod 256."""
    pattern = bytes((seed + 7 * k) % 256 for k in range(251))
    return (pattern * (size // 251 + 1))[:size]


def seeded(seed: str, drawn: list[bytes]) -> Callable[[int], bytes]:
    def draw(length: int) -> bytes:
        drawn.append(hashlib.shake_256(f"{seed}/{len(drawn)}".encode()).digest(length))
        return drawn[-1]

    return draw


def bid(name: str, version: int, shape: tuple[tuple[int, int], ...], named: list[tuple[str, int]]) -> dict[str, Any]:
    hidden: list[bytes] = []
    private = seeded(f"{name} keys", hidden)
    pairs = [[hpke.generate(entropy=private) for _ in range(n)] for _, n in shape]
    roster = Roster(tuple(Lock(t, tuple(pk for _, pk in lock)) for (t, _), lock in zip(shape, pairs, strict=True)))
    key = signing.new_p256(entropy=private)
    bidder = manifest.Bidder("南岭路桥有限公司", "91440101MA5CTR0001")
    signer = signing.P256Signer(key, certificate(key, bidder, private))
    spki = signing.certificate_spki(signer.certificate)
    tender_id = hashlib.sha256(f"{name} tender".encode()).digest()
    contents = [content(number, size) for number, (_, size) in enumerate(named)]

    drawn: list[bytes] = []
    entropy = seeded(name, drawn)
    signed: list[dict[str, str]] = []

    def sign(message: bytes) -> bytes:
        signature = signing.sign_p256(key, message)
        signed.append({"message": message.hex(), "signature": signature.hex()})
        return signature

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "F.bid"
        writer = bidfile.Writer(path)
        sink = writer.sink(lambda _: None)
        salt, nonce = entropy(32), entropy(16)
        sealed, pages = [], []
        for number in (header.RECORD, header.DOCUMENTS):
            sources = [lambda data=data: io.BytesIO(data) for data in contents] if number else []
            page = manifest.build(
                lot=LOT,
                envelope=number,
                bidder=bidder,
                salt=salt,
                files=[
                    manifest.facts_of(source, name=called, media_type=media(called))
                    for (called, _), source in zip(named if number else [], sources, strict=True)
                ],
                opening_list=None if number else manifest.OpeningList(
                    OPENING["price_fen"], OPENING["period_days"], OPENING["quality"],
                    OPENING["leader"]["name"], OPENING["leader"]["certificate"],
                ),
                environment=ENVIRONMENT if number else {},
            )  # fmt: skip
            pages.append(page)
            sealed.append(
                envelope.seal(
                    tender_id=tender_id, envelope=number, roster=roster, signer=sign, spki=spki, salt=salt,
                    bid_nonce=nonce, version=version, manifest=page, files=sources, entropy=entropy, sink=sink,
                )
            )  # fmt: skip
        headers = tuple(each.header for each in sealed)
        signature = envelope.sign_submit(sign, headers)
        writer.finish(
            lot=LOT, tender_id=tender_id, roster=roster, salt=salt, signature=signature,
            certificate=signer.certificate, envelopes=[(each.header, each.leaves) for each in sealed],
        )  # fmt: skip
        kept = recovery.Recovery(LOT, salt, signature, headers, tuple(each.secrets for each in sealed))
        recovered = recovery.write(kept, PASSPHRASE, entropy=entropy)
        data = path.read_bytes()
    return {
        "name": name,
        "tender": {
            "lot": LOT,
            "tender_id": tender_id.hex(),
            "envelopes": [0, 1],
            "roster": roster.encode().hex(),
            "plaintext_max": header.PLAINTEXT_BYTES_MAX,
        },
        "trustees": [[sk.hex() for sk, _ in lock] for lock in pairs],
        "bidder": {"name": bidder.name, "uscc": bidder.uscc},
        "certificate": signer.certificate.hex(),
        "version": version,
        "files": [{"name": called, "size": size, "seed": at} for at, (called, size) in enumerate(named)],
        "draws": [each.hex() for each in drawn],
        "signatures": signed,
        "expected": {
            "manifests": [jcs.dumps(page).hex() for page in pages],
            "headers": [each.header.encode().hex() for each in sealed],
            "leaves": [[leaf.hex() for leaf in each.leaves] for each in sealed],
            "recovery": recovered.hex(),
            "file_bytes": len(data),
            "file_sha256": hashlib.sha256(data).hexdigest(),
        },
    }


def media(name: str) -> str:
    from bidding.client import sealing

    return sealing.media_type(name)


def certificate(key: Any, bidder: manifest.Bidder, entropy: Callable[[int], bytes]) -> bytes:
    from datetime import UTC, datetime

    dates = {"not_before": datetime(2026, 1, 1, tzinfo=UTC), "not_after": datetime(2030, 1, 1, tzinfo=UTC)}
    authority = certificates.Authority.create("演练证书机构", key=signing.new_p256(entropy=entropy), serial=1, **dates)
    return authority.issue(certificates.request(bidder.name, bidder.uscc, key=key), serial=2, **dates)


# Evidence that a tender's roster is certified, and what must be refused.


def evidence() -> dict[str, Any]:
    """`good` is proved under `trust`; each of `refused` says what differs, and is refused with `code`."""
    hall = Hall()
    good = hall.shown()
    acts = [each["event"]["act"] for each in (receipt.parse(data.encode())[1] for data in good["hall"])]
    trustee = next(at for at, act in enumerate(acts) if act["kind"] == "trustee")
    keys = next(at for at, act in enumerate(acts) if act["kind"] == "key")
    pre_keys = next(at for at, act in enumerate(acts) if act["kind"] == "pre_keys")
    trusted = json.loads(hall.trust)
    other = json.loads(Hall("another").trust)

    def changed(**fields: Any) -> str:
        return json.dumps({**trusted, **fields}, ensure_ascii=False)

    def without(number: int) -> dict[str, Any]:
        return {"hall": [data for at, data in enumerate(good["hall"]) if at != number]}

    def of(name: str, code: str, by: Any = None, /, **changes: Any) -> dict[str, Any]:
        shown = {**(good if by is None else {**by.shown(), "trust": by.trust}), **changes}
        differs = {field: value for field, value in shown.items() if good.get(field) != value}
        return {"name": name, "code": code, **differs}

    unwitnessed = {"tender": hall.receipt(hall.tender, witnesses=["witness-centre"])}
    alone = {"tender": hall.receipt(hall.tender, witnesses=["witness-centre", "witness-notary"])}
    refused = [
        of("trust.json of another hall", "note_not_signed", trust=Hall("another", origin="other.example/log").trust),
        of("trust.json whose log key was swapped", "note_not_signed", trust=changed(log=other["log"])),
        of("trust.json whose witnesses were swapped", "quorum", trust=changed(witnesses=other["witnesses"])),
        of("trust.json whose trustee roots were swapped", "key_not_certified", trust=changed(trustee_roots=other["trustee_roots"])),
        of("trust.json whose authorities were swapped", "act_not_signed_by", trust=changed(ca_roots=other["ca_roots"])),
        of("trust.json whose contributors were swapped", "contributors_not_anchored", trust=changed(contributors=other["contributors"])),
        of("trust.json that asks for one witness", "trust_quorum", trust=changed(quorum=1)),
        of("trust.json with a field too many", "trust_fields", trust=changed(more=1)),
        of("trust.json with a name twice", "trust_unreadable", trust=hall.trust.replace('"v": 1', '"v": 1, "v": 1')),
        of("trust.json with one key in two places", "trust_keys_repeated", trust=changed(trustee_roots=dict.fromkeys(("centre", "supervision"), trusted["trustee_roots"]["centre"]))),
        of("a notice that one witness saw", "quorum", **unwitnessed),
        of("a notice that no witness of supervision saw", "quorum", **alone),
        of("a changed word in the notice", "inclusion_proof", tender=hall.respelt(hall.tender, name="别的标段")),
        of("a notice of another lot", "lot_not_in_log", lot="E4401000001001001000002"),
        of("a trustee whose act is not shown", "trustee_not_certified", **without(trustee)),
        of("keys whose act is not shown", "roster_key_unknown", **without(pre_keys)),
        of("a duty key whose act is not shown", "key_not_certified", **without(keys)),
        of("another rulebook", "object_hash", rulebook='{"lock_1":[]}'),
        of("another tender document", "object_hash", terms="{}"),
        of("keys nobody certified", "roster_key_unknown", Hall(begin=puppets)),
        of("a trustee certified by one root alone", "trustee_not_certified", Hall(seat=one_root)),
        of("one organisation in two seats", "roster_seats", Hall(seat=twice)),
        of("a trustee of the wrong group", "roster_seats", Hall(seat=wrong_group)),
        of("the owner in lock 1", "roster_seats", Hall(seat=owner_in_lock_1)),
        of("a notice signed by somebody else", "act_not_signed_by", Hall(begin=signed_by_another)),
        of("a rehearsal that is not called one", "rehearsal_not_declared", Hall(begin=lambda w: {"rehearsal": False})),
    ]  # fmt: skip
    return {"trust": hall.trust, "lot": LOT, "good": good, "refused": refused, "receipts": hall.receipts()}


def puppets(world: Any) -> dict[str, Any]:
    made = prekeys.derive(world.entropy(32), 0, 3)
    locks = world.roster.locks
    return {"roster": Roster((Lock(2, tuple(key.public for key in made)), locks[1])), "key_number": 1}


def signed_by_another(world: Any) -> dict[str, Any]:
    world.owner, world.first_owner = world.organisation("另一业主", 9), world.owner
    return {"owner": {"name": world.first_owner.name, "uscc": world.first_owner.uscc}, "key_number": 1}


def one_root(world: Any) -> tuple[int, int, Any]:
    return 0, 1, world.enrol("puppet", "owner", 0, 7, signers=[("root_centre", world.roots["centre"])])


def twice(world: Any) -> tuple[int, int, Any]:
    same = {"organisation": {"name": "centre-0", "uscc": world_uscc(102)}}
    return 0, 1, world.enrol("double", "owner", 0, 7, fields=same)


def wrong_group(world: Any) -> tuple[int, int, Any]:
    return 0, 1, world.enrol("stranger", "owner", 0, 7, fields={"group": "supervision"})


def owner_in_lock_1(world: Any) -> tuple[int, int, Any]:
    own = {"organisation": {"name": world.owner.name, "uscc": world.owner.uscc}}
    return 1, 1, world.enrol("own", "regulator", 1, 7, fields=own)


def world_uscc(number: int) -> str:
    return world.uscc(number)


class Hall:
    """The compact hall with one tender, and what it shows to a page: receipts of the acts that matter."""

    def __init__(
        self,
        seed: str = "world",
        *,
        origin: str | None = None,
        begin: Callable[[Any], dict[str, Any]] = lambda _: {},
        seat: Callable[[Any], tuple[int, int, Any]] | None = None,
    ) -> None:
        self.origin = world.ORIGIN = origin or "hall.example/ledger/rehearsal"
        self.world = world.World(seed)
        self.world.now = world.START
        if seat is not None:
            number, index, agent = seat(self.world)
            self.world.agents[number][index - 1] = agent
        self.terms = jcs.dumps({"sealing": {"envelopes": [0, 1]}, "title": "养护一标段"})
        terms = hashlib.sha256(self.terms).hexdigest()
        self.world.begin(**{"terms_hash": terms, "key_number": 1, **begin(self.world)})
        self.tender = len(self.world.leaves) - 1
        self.trust = self._trust()

    def _trust(self) -> str:
        held = self.world.trust
        names = ("hall", "log", "witnesses", "quorum", "trustee_roots", "ca_roots", "contributors")
        return trust.dump(**{name: getattr(held, name) for name in names}).decode()

    def act(self, index: int) -> dict[str, Any]:
        return dict(jcs.loads(self.world.leaves[index][1:]))

    def receipt(self, index: int, *, witnesses: list[str] | None = None, event: Any = None) -> str:
        world.ORIGIN = self.origin
        made = receipt.build(
            event or {"act": self.act(index)}, None, None, index=index,
            proof=self.world.tree.inclusion_proof(index), checkpoint=self.world.checkpoint(witnesses=witnesses),
        )  # fmt: skip
        return made.decode()

    def respelt(self, index: int, **changes: Any) -> str:
        return self.receipt(index, event={"act": {**self.act(index), **changes}})

    def shown(self) -> dict[str, Any]:
        hall = [at for at in range(self.tender) if self.act(at)["tender_id"] == "0" * 64]
        return {
            "tender": self.receipt(self.tender),
            "hall": [self.receipt(at) for at in hall],
            "rulebook": self.world.rulebook.decode(),
            "terms": self.terms.decode(),
        }

    def receipts(self) -> list[dict[str, Any]]:
        """Receipts of one submission: grades, and what must be refused."""
        world.ORIGIN = self.origin
        submitted = self.world.submit(self.world.bidder(1))
        event = {"public": dict(submitted.evidence.event), "confidential": dict(submitted.confidential)}
        index, salt_p = submitted.evidence.index, submitted.evidence.salt_p

        def built(witnesses: list[str] | None = None, **changes: Any) -> str:
            made = receipt.build(
                changes.get("event", event), salt_p, changes.get("salt_c", submitted.salt_c), index=index,
                proof=changes.get("proof", self.world.tree.inclusion_proof(index)),
                checkpoint=self.world.checkpoint(witnesses=witnesses), context={"lot": LOT},
            )  # fmt: skip
            return made.decode()

        kept_back = {
            "public": event["public"],
            "confidential_hash": hashlib.sha256(submitted.salt_c + jcs.dumps(event["confidential"])).hexdigest(),
        }
        good = built()
        lines = good.split("\n")
        note_at = lines.index("") + 1
        half = [line for line in lines if not line.startswith("— witness-regulator")]
        other = json.loads(json.dumps(event))
        other["public"]["version"] = 2
        proof = [merkle.leaf_hash(b"another"), *self.world.tree.inclusion_proof(index)[1:]]
        damaged = [
            line[:-8] + ("AAAA" if line[-8:-4] != "AAAA" else "BBBB") + line[-4:]
            if line.startswith("— witness-centre")
            else line
            for line in lines
        ]
        return [
            {"name": "all witnesses", "data": good, "grade": "B", "index": index},
            {"name": "no witness", "data": built([]), "grade": "A", "index": index},
            {"name": "without supervision's witness", "data": "\n".join(half), "grade": "A", "index": index},
            {"name": "confidential part kept back", "data": built(event=kept_back, salt_c=None), "grade": "B", "index": index},
            {"name": "another version", "data": built(event=other), "code": "inclusion_proof"},
            {"name": "another hash in the proof", "data": built(proof=proof), "code": "inclusion_proof"},
            {"name": "a false cosignature", "data": "\n".join(damaged), "code": "cosignature"},
            {"name": "another origin", "data": good.replace(lines[note_at], "evil.example/log"), "code": "note_not_signed"},
            {"name": "cut short", "data": good[:200], "code": "receipt"},
            {"name": "nothing", "data": "", "code": "receipt"},
        ]  # fmt: skip


spec = importlib.util.spec_from_file_location("release_world", ROOT / "tests/crypto/release/conftest.py")
assert spec and spec.loader
world = importlib.util.module_from_spec(spec)
sys.modules["release_world"] = world
spec.loader.exec_module(world)

if __name__ == "__main__":
    main()
