"""A trustee's key folder: its signing key, its one-time keys, whom it believes, and what it must never forget.

docs/spec/release.md §1, §6, §8. The folder holds
    key.pem        Ed25519, signs pre-keys, READY and releases      trust.json    the anchors, brought by hand
    seed, seed.N   one secret a batch, hex                          trustee.json  {"trustee","batches":{"0":count}}
    memory.json    the log as read, which tender used which key, what was released
    receipts/      receipts that bidders handed to this trustee; any of them can block an opening

Memory is on the disk before anything that follows from it is sent. Whoever reads this folder holds this trustee's part
of every bid sealed to it; without the other trustees of the lock that opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidding.client import files, identity, ledger
from bidding.client.server import Server
from crypto import jcs
from crypto.ledger import acts, receipt
from crypto.ledger.whole_log import WholeLog
from crypto.opening import certified
from crypto.opening.examination import Memory, Trustee
from crypto.refusal import Refused
from crypto.sealing import prekeys
from crypto.sealing.prekeys import PreKey
from crypto.signing import Ed25519Signer
from crypto.trust import Trust

RECEIPTS_MAX = 1000
SEATS = {
    "owner": "operation",
    "centre": "operation",
    "notary": None,
    "regulator": "supervision",
    "inspector": "supervision",
    "independent": "supervision",
}
"""Seats and their group; a notary sits in either."""


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """An opened key folder. `batches` maps the number of a batch to how many keys it has."""

    folder: Path
    id: str
    signer: Ed25519Signer
    trust: Trust
    batches: Mapping[int, int]

    def trustee(self) -> Trustee:
        """The trustee with all of its one-time keys, as the release machine takes it."""
        secrets: dict[str, bytes] = {}
        for batch in self.batches:
            secrets |= prekeys.secrets_of(self.keys_of(batch))
        return Trustee(self.id, secrets)

    def keys_of(self, batch: int) -> tuple[PreKey, ...]:
        """The keys of one batch. Raises Refused("seed_missing")."""
        path = _seed_path(self.folder, batch)
        try:
            seed = bytes.fromhex(files.read(path, bytes_max=4096).decode("ascii").strip())
        except ValueError as error:
            raise Refused("seed_missing", file=path) from error
        if len(seed) != prekeys.SEED_BYTES:
            raise Refused("seed_missing", file=path)
        return prekeys.derive(seed, batch, self.batches[batch])

    def receipts(self) -> tuple[bytes, ...]:
        """What bidders handed to this trustee directly; a file that is too large is no receipt."""
        folder = self.folder / "receipts"
        paths = sorted(folder.glob("*.receipt"))[:RECEIPTS_MAX] if folder.is_dir() else []
        return tuple(each.read_bytes() for each in paths if each.stat().st_size <= receipt.RECEIPT_BYTES_MAX)

    def memory(self) -> tuple[WholeLog, Memory]:
        """What the agent saw and did. Raises Refused("reading_unreadable"): to go on without it could release twice
        under two lists, so it is mended from a backup and never begun anew by itself."""
        path = self.folder / "memory.json"
        if not path.exists():
            return WholeLog(self.id), Memory()
        try:
            value = jcs.loads(files.read(path, bytes_max=ledger.READING_BYTES_MAX), bytes_max=ledger.READING_BYTES_MAX)
            log = WholeLog.of_object(value["log"])
            if log.trustee != self.id:
                raise ValueError(log.trustee)
            return log, Memory.of_object(value["memory"])
        except (Refused, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Refused("reading_unreadable", file=path) from error

    def remember(self, log: WholeLog, memory: Memory) -> None:
        """Put on the disk, for good, what the agent saw and is about to do."""
        value = {"v": 1, "log": log.object(), "memory": memory.object()}
        files.write(self.folder / "memory.json", jcs.dumps(value), mode=files.SECRET_MODE)


def load(folder: Path) -> KeyFolder:
    """Open a key folder. Raises Refused: keys_missing, trust_missing, key_file, trustee_card, what trust.load does."""
    pem = folder / "key.pem"
    if not pem.is_file() or not (folder / "trustee.json").is_file():
        raise Refused("keys_missing", folder=folder)
    signer = Ed25519Signer.from_pem(files.read(pem, bytes_max=identity.PEM_BYTES_MAX))
    card = files.read_json(folder / "trustee.json")
    try:
        batches = {int(batch): int(count) for batch, count in card["batches"].items()}
        id_ = card["trustee"]
        if not isinstance(id_, str) or not id_:
            raise ValueError("trustee")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused("trustee_card", file=folder / "trustee.json") from error
    return KeyFolder(folder, id_, signer, identity.load_trust(folder), batches)


def enrol(
    folder: Path,
    *,
    trustee: str,
    name: str,
    uscc: str,
    seat: str,
    group: str | None,
    entropy: Callable[[int], bytes],
) -> dict[str, Any]:
    """Make the signing key, once, and the card that both roots sign to certify it: the fields of the `trustee` act.

    Raises Refused: trust_missing, trustee_enrolled_already (another id), trustee_seat.
    """
    identity.load_trust(folder)
    group = SEATS.get(seat) or group
    if seat not in SEATS or group not in ("operation", "supervision") or SEATS[seat] not in (None, group):
        raise Refused("trustee_seat", seat=seat, group=group)
    if (folder / "trustee.json").is_file():
        known = load(folder)
        if known.id != trustee:
            raise Refused("trustee_enrolled_already", trustee=known.id)
    else:
        files.write_secret(folder / "key.pem", Ed25519Signer.generate(entropy=entropy).to_pem())
        files.write_json(folder / "trustee.json", {"trustee": trustee, "batches": {}})
        known = load(folder)
    card = {
        "kind": "trustee",
        "trustee": trustee,
        "organisation": {"name": name, "uscc": uscc},
        "seat": seat,
        "group": group,
        "key": known.signer.key.hex(),
    }
    files.write_json(folder / "enrolment.json", card)
    return card


def hand_in(server: Server, folder: KeyFolder, *, count: int, entropy: Callable[[int], bytes]) -> tuple[int, int]:
    """Make a batch of one-time keys and log it; returns its number and how many keys it has.

    A batch that was made and is not in the log yet (the line was cut) is handed in instead of a new one: its seed is on
    the disk before its keys are known to anybody. Raises Refused: pre_keys_count, trustee_not_certified,
    act_not_asked_for.
    """
    log = ledger.read(server, folder.trust, folder.memory()[0])
    hall = certified.read(log.hall, folder.trust)
    if folder.id not in hall.trustees or hall.trustees[folder.id].key != folder.signer.key:
        raise Refused("trustee_not_certified", trustee=folder.id)
    logged = {each.act["batch"] for each in log.hall if each.kind == "pre_keys" and each.act["trustee"] == folder.id}
    waiting = sorted(set(folder.batches) - logged)
    if not waiting:
        folder = _new_batch(folder, count, entropy=entropy)
        waiting = [max(folder.batches)]
    batch = waiting[0]
    fields = prekeys.act_fields(folder.id, folder.keys_of(batch))
    server.act(
        "bidding/pre_keys",
        {"act": fields},
        signer=folder.signer,
        by="trustee",
        expect={**fields, "v": 1, "tender_id": acts.HALL_TENDER_ID, "role": "trustee"},
    )
    return batch, folder.batches[batch]


def drill(folder: KeyFolder, *, entropy: Callable[[int], bytes]) -> int:
    """Prove that every one-time key in the folder still opens what is sealed to it; returns how many did. The drill is
    made and answered here: no bid is touched, and nobody is asked. Raises Refused: drill, seed_missing."""
    origin, opened = folder.trust.origin, 0
    for batch in folder.batches:
        for key in folder.keys_of(batch):
            challenge, answer = prekeys.make_drill(key.public, origin=origin, entropy=entropy)
            if prekeys.answer_drill(key.secret, challenge, origin=origin) != answer:
                raise Refused("drill")
            opened += 1
    return opened


def _new_batch(folder: KeyFolder, count: int, *, entropy: Callable[[int], bytes]) -> KeyFolder:
    batch = max(folder.batches, default=-1) + 1
    seed = entropy(prekeys.SEED_BYTES)
    prekeys.derive(seed, batch, count)
    path = folder.folder / ("seed" if batch == 0 else f"seed.{batch}")
    assert not path.exists(), "a seed is never written over"
    files.write_secret(path, seed.hex().encode())
    batches = {**folder.batches, batch: count}
    told = {"trustee": folder.id, "batches": {str(number): keys for number, keys in sorted(batches.items())}}
    files.write_json(folder.folder / "trustee.json", told)
    return load(folder.folder)


def _seed_path(folder: Path, batch: int) -> Path:
    """Each batch has its own seed; the first may lie in `seed`."""
    own = folder / f"seed.{batch}"
    return own if own.is_file() else folder / "seed"
