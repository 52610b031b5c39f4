"""trust.json: the roots that clients, trustees and auditors bring along, and never take from a platform or bundle.

docs/spec/ledger.md §9. It is published by the hall, by the supervisor and by the witnesses, each on its own page; two
copies are the same when their fingerprints are. People read it, so spaces and the order of names are free; everything
else is strict. The rules upheld here:
- the quorum needs two witnesses at least, and both an operating and a supervising one must exist;
- no key stands twice, in whatever part: one machine would count as two parties;
- the roots that certify trustees are two, the centre's and the supervision's, and different.

Whoever can change this file on a person's machine decides what that person believes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypto import jcs, signing
from crypto.ledger import note
from crypto.refusal import Refused

TRUST_BYTES_MAX = 256 * 1024
WITNESSES_MAX = 32

_FIELDS = {"v", "hall", "log", "witnesses", "quorum", "trustee_roots", "ca_roots", "contributors"}
_SIDES = {"centre", "supervision"}


@dataclass(frozen=True, slots=True)
class Trust:
    """The checked contents of trust.json; a value that exists upholds the rules above.

    `trustee_roots` are 32-byte Ed25519 keys, `contributors` 91-byte P-256 SPKI DER, each by "centre" and
    "supervision"; `ca_roots` are certificates in DER.
    """

    hall: str
    log: note.VerifierKey
    witnesses: tuple[note.Witness, ...]
    quorum: int
    trustee_roots: Mapping[str, bytes]
    ca_roots: tuple[bytes, ...]
    contributors: Mapping[str, bytes]
    fingerprint: str

    @property
    def origin(self) -> str:
        """The origin of the log, first line of each of its checkpoints."""
        return self.log.name

    @property
    def rehearsal(self) -> bool:
        """Whether this is the log of a demo hall; what it proves is a rehearsal and must be called one."""
        return note.is_rehearsal(self.log.name)


def load(data: bytes) -> Trust:
    """Read and check trust.json (at most 256 KiB).

    Raises Refused: trust_unreadable (no JSON, a name twice, a float), trust_fields (field=…), trust_keys_repeated,
    trust_quorum, and verifier_key, key_not_ed25519, key_not_p256 for a key that is none.
    """
    if len(data) > TRUST_BYTES_MAX:
        raise Refused("trust_unreadable", bytes=len(data))
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unrepeated, parse_float=_no_float)
        fingerprint = sha256(jcs.dumps(value)).hexdigest()
    except (ValueError, RecursionError, Refused) as error:
        raise Refused("trust_unreadable", bytes=len(data)) from error
    fields = _object(value, _FIELDS, "trust.json")
    if type(fields["v"]) is not int or fields["v"] != 1:
        raise Refused("trust_fields", field="v")
    trust = Trust(
        hall=_text(fields["hall"], "hall"),
        log=_log(fields["log"]),
        witnesses=_witnesses(fields["witnesses"]),
        quorum=_quorum(fields["quorum"]),
        trustee_roots=_keys(fields["trustee_roots"], "trustee_roots"),
        ca_roots=_ca_roots(fields["ca_roots"]),
        contributors=_keys(fields["contributors"], "contributors"),
        fingerprint=fingerprint,
    )
    _check(trust)
    return trust


def dump(
    *,
    hall: str,
    log: note.VerifierKey,
    witnesses: tuple[note.Witness, ...],
    quorum: int,
    trustee_roots: Mapping[str, bytes],
    ca_roots: tuple[bytes, ...],
    contributors: Mapping[str, bytes],
) -> bytes:
    """The bytes of trust.json, indented for people; load() of them is called once, so what is written can be read."""
    value = {
        "v": 1,
        "hall": hall,
        "log": {"origin": log.name, "key": str(log)},
        "witnesses": [{"name": each.name, "group": each.group, "key": str(each.key)} for each in witnesses],
        "quorum": quorum,
        "trustee_roots": {side: key.hex() for side, key in sorted(trustee_roots.items())},
        "ca_roots": [x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM).decode() for each in ca_roots],
        "contributors": {side: key.hex() for side, key in sorted(contributors.items())},
    }
    data = (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
    load(data)
    return data


def _check(trust: Trust) -> None:
    for side in sorted(_SIDES):
        signing.ed25519_public(trust.trustee_roots[side])
        signing.p256_public(trust.contributors[side])
    keys = [trust.log.public, *(each.key.public for each in trust.witnesses), *trust.trustee_roots.values()]
    if len(set(keys)) != len(keys) or len(set(trust.contributors.values())) != len(_SIDES):
        raise Refused("trust_keys_repeated")
    if len({each.name for each in trust.witnesses}) != len(trust.witnesses):
        raise Refused("trust_keys_repeated")
    groups = {each.group for each in trust.witnesses}
    if not 2 <= trust.quorum <= len(trust.witnesses) or not groups.issuperset(note.QUORUM_GROUPS):
        raise Refused("trust_quorum", quorum=trust.quorum, witnesses=len(trust.witnesses))


def _log(value: object) -> note.VerifierKey:
    fields = _object(value, {"origin", "key"}, "log")
    key = note.VerifierKey.parse(_text(fields["key"], "log.key"))
    if key.kind != note.LOG_SIGNATURE or key.name != fields["origin"]:
        raise Refused("trust_fields", field="log.key")
    return key


def _witnesses(value: object) -> tuple[note.Witness, ...]:
    if not isinstance(value, list) or len(value) > WITNESSES_MAX:
        raise Refused("trust_fields", field="witnesses")
    return tuple(_witness(each) for each in value)


def _witness(value: object) -> note.Witness:
    fields = _object(value, {"name", "group", "key"}, "witnesses")
    key = note.VerifierKey.parse(_text(fields["key"], "witnesses.key"))
    if key.kind != note.COSIGNATURE or key.name != fields["name"]:
        raise Refused("trust_fields", field="witnesses.key")
    for group in note.GROUPS:
        if fields["group"] == group:
            return note.Witness(key.name, group, key)
    raise Refused("trust_fields", field="witnesses.group")


def _quorum(value: object) -> int:
    if type(value) is not int:
        raise Refused("trust_fields", field="quorum")
    return value


def _keys(value: object, field: str) -> dict[str, bytes]:
    fields = _object(value, _SIDES, field)
    return {side: _hex(fields[side], f"{field}.{side}") for side in sorted(_SIDES)}


def _ca_roots(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not value:
        raise Refused("trust_fields", field="ca_roots")
    return tuple(_certificate(each) for each in value)


def _certificate(value: object) -> bytes:
    try:
        return x509.load_pem_x509_certificate(_text(value, "ca_roots").encode()).public_bytes(Encoding.DER)
    except ValueError as error:
        raise Refused("trust_fields", field="ca_roots") from error


def _hex(value: object, field: str) -> bytes:
    text = _text(value, field)
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise Refused("trust_fields", field=field) from error
    if data.hex() != text:
        raise Refused("trust_fields", field=field)
    return data


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise Refused("trust_fields", field=field)
    return value


def _object(value: object, names: set[str], field: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != names:
        raise Refused("trust_fields", field=field)
    return value


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name stands twice")
    return value


def _no_float(text: str) -> float:
    raise ValueError(f"{text} is not an integer")
