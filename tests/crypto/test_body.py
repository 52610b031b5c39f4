"""Bodies: the C2SP vectors, the library's decryptor, segment and chunk boundaries, the tree over segments."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from crypto.ledger import merkle
from crypto.refusal import Refused
from crypto.sealing import body, header, lock

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/c2sp-chunked/aes-256-gcm.json").read_text())["vectors"]
DEK, SALT, CONTEXT = b"k" * 32, b"s" * 24, b"sealbid/v1 body\0" + b"h" * 32


def ciphertext_of(vector: dict[str, Any]) -> bytes:
    data = base64.b64decode(vector["ciphertext"] or "")
    return zlib.decompress(data) if vector.get("compressed") else data


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_c2sp_chunked_encryption(vector: dict[str, Any]) -> None:
    """Info string, nonces and chunking; the vectors derive with SHA-256 where Cobblestone-256 takes SHA-512."""
    data = ciphertext_of(vector)
    salt, commitment = data[:24], data[24:56]
    info = body.key_info(salt, vector["context"].encode())
    derived = HKDFExpand(SHA256(), 76, info).derive(bytes.fromhex(vector["key"]))
    keys = body.Keys(bytes.fromhex(vector["aead_key"]), bytes.fromhex(vector["base_nonce"]), commitment)
    assert derived == keys.key + keys.nonce + keys.commitment
    plaintext = b""
    for number, at in enumerate(range(56, len(data), 16_400)):
        nonce = int.from_bytes(keys.nonce, "big") ^ number
        plaintext += AESGCM(keys.key).decrypt(nonce.to_bytes(12, "big"), data[at : at + 16_400], b"")
    assert hashlib.sha256(plaintext).hexdigest() == vector["payload_sha256"]
    if len(plaintext) % body.CHUNK_BYTES == 0:
        tree, segments = seal(plaintext, keys=keys, salt=salt)
        assert b"".join(segments) == data
        assert tree.length == len(data)


def seal(
    plaintext: bytes, *, keys: body.Keys | None = None, salt: bytes = SALT, step: int = 100_000
) -> tuple[body.SegmentTree, list[bytes]]:
    segments: list[bytes] = []
    derived = keys or body.derive_keys(DEK, SALT, CONTEXT)
    sealer = body.Sealer(derived, salt=salt, padded_len=len(plaintext), sink=segments.append)
    for at in range(0, len(plaintext), step):
        sealer.write(plaintext[at : at + step])
    return sealer.finish(), segments


@pytest.mark.parametrize("padded_len", [65536, 131072, 15 * 65536, 1024**2, 2 * 1024**2, 5 * 1024**2])
@pytest.mark.parametrize("step", [1_048_577, 4_099 * 16])
def test_library_opens_what_we_seal(padded_len: int, step: int) -> None:
    plaintext = hashlib.shake_256(b"plaintext").digest(padded_len)
    tree, segments = seal(plaintext, step=step)
    data = b"".join(segments)
    assert len(data) == header.body_len_of(padded_len) == tree.length
    assert all(len(segment) == header.SEGMENT_BYTES for segment in segments[:-1])
    assert 0 < len(segments[-1]) < header.SEGMENT_BYTES
    decryptor = Cobblestone256Decryptor(DEK, CONTEXT)
    assert decryptor.update(data) + decryptor.finalize() == plaintext
    assert b"".join(body.decrypt(segments, dek=DEK, context=CONTEXT, body_len=len(data))) == plaintext


def test_root_is_rfc_6962_over_the_digests_of_segments() -> None:
    tree, segments = seal(bytes(3 * 1024**2))
    digests = [hashlib.sha256(segment).digest() for segment in segments]
    assert tree.leaves == digests
    assert len(digests) == 4
    leaves = [hashlib.sha256(b"\0" + digest).digest() for digest in digests]
    left, right = (hashlib.sha256(b"\1" + leaves[at] + leaves[at + 1]).digest() for at in (0, 2))
    assert tree.root() == body.root_of(digests) == hashlib.sha256(b"\1" + left + right).digest()


def judged(segments: list[bytes], root: bytes) -> str | None:
    tree = body.SegmentTree()
    for segment in segments:
        tree.add(segment)
    try:
        tree.verify_root(root)
    except Refused as refused:
        return refused.code
    return None


def test_truncated_reordered_and_extended_bodies_do_not_give_the_root() -> None:
    tree, segments = seal(bytes(3 * 1024**2))
    root = tree.root()
    assert judged(segments, root) is None
    for stored in (
        [],
        segments[:-1],
        segments[1:],
        [segments[1], segments[0], *segments[2:]],
        [*segments, b"x"],
        [*segments, b""],
        [*segments[:-1], segments[-1] + b"x"],
        [*segments[:-1], segments[-1][:-1]],
        [segments[0], *segments],
    ):
        assert judged(stored, root) == "body_root"


def test_segments_of_another_size_are_not_accepted_even_under_their_own_root() -> None:
    """A bidder who commits to odd segments may not make honest storage look like loss later."""
    odd = [b"a" * 1000, b"b" * 1000]
    root = merkle.root([merkle.leaf_hash(hashlib.sha256(segment).digest()) for segment in odd])
    assert judged(odd, root) == "body_root"
    assert judged([b"a" * (header.SEGMENT_BYTES + 1)], root) == "body_root"


def test_reordered_chunks_inside_the_root_do_not_authenticate() -> None:
    """The bidder's own program swaps two chunks and commits to the result."""
    _, segments = seal(b"a" * 65536)
    data = segments[0]
    first, second = data[56 : 56 + 16400], data[56 + 16400 : 56 + 32800]
    swapped = data[:56] + second + first + data[56 + 32800 :]
    with pytest.raises(Refused) as err:
        list(body.decrypt([swapped], dek=DEK, context=CONTEXT, body_len=len(data)))
    assert err.value.code == "chunk"


@pytest.mark.parametrize("cut", [1, 16, 17, 16400, 16416, 60000])
def test_truncated_and_extended_bodies_of_any_announced_length_are_refused(cut: int) -> None:
    _, (data,) = seal(b"a" * 65536)
    for changed in (data[:-cut], data + bytes(cut)):
        with pytest.raises(Refused) as err:
            list(body.decrypt([changed], dek=DEK, context=CONTEXT, body_len=len(data)))
        assert err.value.code == "body_len"
        with pytest.raises(Refused) as err:
            list(body.decrypt([changed], dek=DEK, context=CONTEXT, body_len=len(changed)))
        assert err.value.code == "chunk"


def test_body_moved_to_another_bid_does_not_open() -> None:
    _, segments = seal(b"a" * 65536)
    with pytest.raises(Refused) as err:
        list(body.decrypt(segments, dek=DEK, context=CONTEXT[:-1] + b"x", body_len=len(segments[0])))
    assert err.value.code == "chunk"


def test_attack_invisible_salamander(sealing: Any) -> None:
    """One ciphertext, two keys: AES-GCM alone allows it, the key commitment in the header does not."""
    box = sealing.forge(b"a bid")
    dek = lock.verify_lock_section(box.header, sealing.roster, box.secrets)
    assert body.verify_commitment(box.header, dek) == dek
    with pytest.raises(Refused) as err:
        body.verify_commitment(box.header, sealing.entropy(32))
    assert err.value.code == "commitment"
