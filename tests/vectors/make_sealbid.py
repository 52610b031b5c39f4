"""Writes tests/vectors/sealbid/*.json: known answers of our own for SEALBID v1, every negative one with its refusal.

Run `python tests/vectors/make_sealbid.py` from the root of the repository; the files do not change unless the protocol
does. The positive answers are held to other code in the tests: RFC 9180, C2SP vectors, the library, a second derivation.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crypto import amount, jcs
from crypto.sealing import header, lock

HERE = Path(__file__).parent
OUT = HERE / "sealbid"
P = 2**255 - 19

spec = importlib.util.spec_from_file_location("sealing_world", HERE.parent / "crypto" / "conftest.py")
assert spec and spec.loader
world = importlib.util.module_from_spec(spec)
sys.modules["sealing_world"] = world
spec.loader.exec_module(world)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for name, make in {
        "jcs": jcs_vectors,
        "amount": amount_vectors,
        "keys": key_vectors,
        "roster": roster_vectors,
        "header": header_vectors,
        "names": name_vectors,
        "verdicts": verdict_vectors,
    }.items():
        text = json.dumps(make(), ensure_ascii=True, indent=1)
        (OUT / f"{name}.json").write_text(text + "\n", "ascii")


def jcs_vectors() -> dict[str, Any]:
    valid = [
        {"text": jcs.dumps(value).hex(), "value": value}
        for value in (
            None,
            [],
            {"b": [True, False, 0], "a": {"": -1}},
            2**53 - 1,
            -(2**53) + 1,
            "\u0000\u001f\u007f\u0080\u2028\U0001f600",
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            {"price_words": "壹仟元整"},
        )
    ]
    refused = [
        (b'{"a":1,"a":1}', "jcs_repeated_name"),
        (b'{"a":1,"\\u0061":2}', "jcs_repeated_name"),
        (b'{"b":1,"a":2}', "jcs_not_canonical"),
        ('{"\ufb33":1,"\U0001f600":2}'.encode(), "jcs_not_canonical"),
        (b'{"a": 1}', "jcs_not_canonical"),
        (b"[1]\n", "jcs_not_canonical"),
        (b'"\\u0041"', "jcs_not_canonical"),
        (b'"\\/"', "jcs_not_canonical"),
        (b'"\\u001F"', "jcs_not_canonical"),
        (b"1.0", "jcs_number"),
        (b"1e3", "jcs_number"),
        (b"-0", "jcs_number"),
        (b"NaN", "jcs_number"),
        (b"-Infinity", "jcs_number"),
        (b"9007199254740992", "jcs_number"),
        (b"-9007199254740992", "jcs_number"),
        (b"01", "jcs_syntax"),
        (b"", "jcs_syntax"),
        (b"[1,]", "jcs_syntax"),
        (b"{'a':1}", "jcs_syntax"),
        (b'"open', "jcs_syntax"),
        (b"[1]]", "jcs_syntax"),
        (b"\xef\xbb\xbf1", "jcs_syntax"),
        (b'"\xb9\xab\xcb\xbe"', "jcs_utf8"),
        (b'"\xed\xa0\x80"', "jcs_utf8"),
        (b'"\\ud800"', "jcs_surrogate"),
        (b'{"\\udc00":1}', "jcs_surrogate"),
        (b"[" * 17 + b"]" * 17, "jcs_depth"),
    ]
    return {"valid": valid, "refused": [{"text": text.hex(), "code": code} for text, code in refused]}


def amount_vectors() -> dict[str, Any]:
    fens = (0, 1, 10, 11, 99, 100, 101, 110, 1000, 1001, 10_000_00, 10_001_00, 10_010_05, 100_100_00, 110_000_00)
    large = (10_000_000_00, 100_000_001_00, 1_000_000_000_000_00, 10_000_100_000_000_00, 123_456_789, 2**53 - 1)
    refused = (
        "",
        "元",
        "零",
        "整",
        "壹元",
        "壹元零整",
        "人民币壹元整",
        "壹圆整",
        "壹元正",
        "一元整",
        "壹元零角整",
        "壹元壹角整",
        "壹元伍角零分",
        "零元壹角",
        "拾元整",
        "壹拾零元整",
        "壹仟零零壹元整",
        "壹拾万零柒仟元零伍角叁分",
        "壹万亿亿元整",
        "玖" * 64 + "元整",
    )
    return {
        "valid": [{"fen": fen, "words": amount.words(fen)} for fen in (*fens, *large)],
        "refused": [{"words": words, "code": "amount_words"} for words in refused],
    }


def key_vectors() -> dict[str, Any]:
    def little(number: int) -> str:
        return number.to_bytes(32, "little").hex()

    order_eight = (
        0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    )
    refused = [
        {"name": f"low order {u:x}", "key": little(u), "code": "key_low_order"} for u in (0, 1, P - 1, *order_eight)
    ]
    for name, number in (
        ("p, another zero", P),
        ("p + 1, another one", P + 1),
        ("p + 9, another nine", P + 9),
        ("2^255 - 1", 2**255 - 1),
        ("nine with bit 255 set", 9 + 2**255),
        ("zero with bit 255 set", 2**255),
        ("order eight with bit 255 set", order_eight[1] + 2**255),
    ):
        refused.append({"name": name, "key": little(number), "code": "key_not_canonical"})
    refused.append({"name": "31 bytes", "key": "09" + "00" * 30, "code": "key_not_canonical"})
    return {"refused": refused}


def roster_vectors() -> dict[str, Any]:
    sealing = world.Sealing("vectors/roster")
    good = sealing.roster.encode()
    keys = [key for lock in sealing.roster.locks for key in lock.keys]

    def seats(t: int, *numbers: int, kind: int = 1) -> bytes:
        return bytes((kind, t, len(numbers))) + b"".join(keys[number] for number in numbers)

    cases = [
        ("no lock", b"", "n_locks"),
        ("one lock", seats(2, 0, 1, 2), "n_locks"),
        ("five locks", (seats(2, 0, 1, 2) * 5), "n_locks"),
        ("cut short", good[:-1], "length"),
        ("trailing byte", good + b"\0", "length"),
        ("lock type 2", seats(2, 0, 1, 2, kind=2) + seats(2, 3, 4, 5), "lock_type"),
        ("t = 1", seats(1, 0, 1, 2) + seats(2, 3, 4, 5), "threshold"),
        ("t = n", seats(3, 0, 1, 2) + seats(2, 3, 4, 5), "threshold"),
        ("t = 0, n = 0", seats(0) + seats(2, 3, 4, 5), "threshold"),
        ("n = 17", bytes((1, 2, 17)) + b"".join(keys[:1]) * 17 + seats(2, 3, 4, 5), "threshold"),
        ("one trustee in both locks", seats(2, 0, 1, 2) + seats(2, 3, 4, 0), "key_repeated"),
        ("a key twice in a lock", seats(2, 0, 1, 1) + seats(2, 3, 4, 5), "key_repeated"),
        ("low order key", good.replace(keys[4], bytes(32)), "key_low_order"),
        ("non-canonical key", good.replace(keys[4], P.to_bytes(32, "little")), "key_not_canonical"),
    ]
    return {
        "roster": good.hex(),
        "hash": sealing.roster.hash().hex(),
        "refused": [{"name": name, "roster": data.hex(), "code": code} for name, data, code in cases],
    }


def header_vectors() -> dict[str, Any]:
    sealing = world.Sealing("vectors/header")
    box = sealing.forge(b"known answer")
    good = box.header.encode()
    dek = sealing_dek(sealing, box)
    return {
        "roster": sealing.roster.encode().hex(),
        "trustee_keys": [[key.hex() for key in keys] for keys in sealing.trustee_keys],
        "secrets": [secret.hex() for secret in box.secrets],
        "dek": dek.hex(),
        "header": good.hex(),
        "header_hash": box.header.hash().hex(),
        "shares": [[hpke_share(sealing, box, number, index).hex() for index in (1, 2, 3)] for number in range(2)],
        "refused": [
            {"name": name, "header": data.hex(), "code": code} for name, data, code in refused_headers(box, good)
        ],
    }


def sealing_dek(sealing: Any, box: Any) -> bytes:
    return lock.verify_lock_section(box.header, sealing.roster, box.secrets)


def hpke_share(sealing: Any, box: Any, number: int, index: int) -> bytes:
    return lock.share_of(box.header, number, index, sealing.trustee_keys[number][index - 1])


def refused_headers(box: Any, good: bytes) -> list[tuple[str, bytes, str]]:
    def at(offset: int, *values: int) -> bytes:
        return good[:offset] + bytes(values) + good[offset + len(values) :]

    second_lock = 259 + 4 + 3 * 112
    enc = 259 + 4 + 32

    def with_enc(key: bytes) -> bytes:
        return good[:enc] + key + good[enc + 32 :]

    def with_len(length: int) -> bytes:
        return good[:130] + length.to_bytes(8, "big") + good[138:]

    return [
        ("empty", b"", "length"),
        ("258 bytes", good[:258], "length"),
        ("8193 bytes", good + bytes(8193 - len(good)), "length"),
        ("trailing byte", good + b"\0", "length"),
        ("last byte missing", good[:-1], "length"),
        ("n of lock 1 grown", at(second_lock + 2, 4), "length"),
        ("magic", b"SEALBID2" + good[8:], "magic"),
        ("suite 0x0101", at(8, 1, 1), "suite"),
        ("flags", at(11, 1), "flags"),
        ("version 0", at(94, 0, 0, 0, 0), "version"),
        ("n_locks 0", good[:258] + b"\0", "n_locks"),
        ("n_locks 0, locks kept", at(258, 0), "n_locks"),
        ("n_locks 1", at(258, 1), "n_locks"),
        ("n_locks 5", at(258, 5), "n_locks"),
        ("n_locks 3 of two", at(258, 3), "length"),
        ("lock type 2", at(259, 2), "lock_type"),
        ("lock 1 of type 0", at(second_lock, 0), "lock_type"),
        ("t = 1", at(260, 1), "threshold"),
        ("t = n", at(260, 3), "threshold"),
        ("t > n", at(260, 200), "threshold"),
        ("fourth byte", at(262, 1), "lock_reserved"),
        (
            "fourth byte and a threshold in lock 1",
            at(262, 1)[: second_lock + 1] + b"\1" + good[second_lock + 2 :],
            "threshold",
        ),
        ("body_len 0", with_len(0), "body_len"),
        ("body_len one less", with_len(box.header.body_len - 1), "body_len"),
        ("padded to 64 KiB above 1 MiB", with_len(header.body_len_of(17 * 65536)), "body_len"),
        ("padded to 32 KiB", with_len(header.body_len_of(32768)), "body_len"),
        ("more than 2 GiB", with_len(header.body_len_of(2**31 + 2**20)), "body_len"),
        ("2^64 - 1", with_len(2**64 - 1), "body_len"),
        ("enc = p + 9", with_enc((P + 9).to_bytes(32, "little")), "key_not_canonical"),
        ("enc with bit 255", with_enc((9 + 2**255).to_bytes(32, "little")), "key_not_canonical"),
        ("enc = 0", with_enc(bytes(32)), "key_low_order"),
        ("enc = 1", with_enc(b"\1" + bytes(31)), "key_low_order"),
        ("enc of the next trustee", with_enc(good[enc + 112 : enc + 144]), "key_repeated"),
        ("envelope 3", at(44, 0, 3), "envelope"),
        ("envelope of a draw", at(44, 1, 0), "envelope"),
    ]


def name_vectors() -> dict[str, Any]:
    refused = [
        ("", "file_name_path"),
        (".", "file_name_path"),
        ("..", "file_name_path"),
        ("../x.pdf", "file_name_path"),
        ("a/b.pdf", "file_name_path"),
        ("a\\b.pdf", "file_name_path"),
        ("/etc/passwd", "file_name_path"),
        ("C:x.pdf", "file_name_path"),
        ("a\u0000.pdf", "file_name_characters"),
        ("a\n.pdf", "file_name_characters"),
        ("invoice\u202efdp.exe", "file_name_characters"),
        ("a\u200b.pdf", "file_name_characters"),
        ("ab:c.pdf", "file_name_characters"),
        ("a?.pdf", "file_name_characters"),
        ("con.pdf", "file_name_reserved"),
        ("LPT1", "file_name_reserved"),
        (".hidden", "file_name_reserved"),
        ("~lock", "file_name_reserved"),
        ("a.pdf.", "file_name_reserved"),
        (" a.pdf", "file_name_reserved"),
        ("\u3000a.pdf", "file_name_reserved"),
        ("\udccd\udcb6.pdf", "file_name_encoding"),
        ("Ͷ\ufffd\ufffd.pdf", "file_name_encoding"),
        ("e\u0301.pdf", "file_name_encoding"),
        ("文" * 67, "file_name_length"),
    ]
    valid = ["技术标.pdf", "清单 v2.xlsx", "a", "文" * 66, "project(1)_终稿-2.PDF", "console.pdf"]
    return {"valid": valid, "refused": [{"name": name, "code": code} for name, code in refused]}


def verdict_vectors() -> dict[str, Any]:
    sealing = world.Sealing("vectors/verdicts")
    files = {"技术标.pdf": b"how the road is built", "空.txt": b""}
    good = sealing.manifest(1, files)
    content = b"".join(files.values())
    cases = [("honest", "valid", None, sealing.page(jcs.dumps(good), content), {})]

    def invalid(name: str, code: str, plaintext: bytes, **more: Any) -> None:
        cases.append((name, "invalid", code, plaintext, more))

    def changed(change: Callable[[Any], object], after: bytes = content, **more: Any) -> bytes:
        page = json.loads(json.dumps(good))
        change(page)
        return sealing.page(jcs.dumps(page), after, **more)

    start = sealing.page(jcs.dumps(good), content)
    other = hashlib.sha256(b"another").hexdigest()
    invalid("manifest of no bytes", "manifest_length", sealing.page(b""))
    invalid("manifest longer than the plaintext", "manifest_length", (65536).to_bytes(4, "big") + start[4:])
    invalid("manifest of 4 GiB", "manifest_length", b"\xff" * 4 + start[4:])
    invalid("manifest with a space", "jcs", sealing.page(jcs.dumps(good).replace(b":1,", b": 1,", 1), content))
    invalid("manifest with a name twice", "jcs", sealing.page(b'{"v":1,"v":1}', content))
    invalid("manifest nested deep", "jcs", sealing.page(b"[" * 3000, content))
    invalid("field unknown", "manifest_fields", changed(lambda page: page.update(extra=1)))
    invalid("field missing", "manifest_fields", changed(lambda page: page.pop("environment")))
    invalid("v 2", "manifest_fields", changed(lambda page: page.update(v=2)))
    invalid("v true", "manifest_fields", changed(lambda page: page.update(v=True)))
    invalid("envelope as text", "manifest_fields", changed(lambda page: page.update(envelope="1")))
    invalid("opening list in the documents", "manifest_fields", changed(lambda page: page.update(opening_list={})))
    invalid("path in a name", "manifest_fields", changed(lambda page: page["files"][0].update(name="../x.pdf")))
    invalid("name twice", "manifest_fields", changed(lambda page: page["files"][1].update(name="技术标.PDF")))
    invalid("size negative", "manifest_fields", changed(lambda page: page["files"][0].update(size=-1)))
    invalid("hash in capitals", "manifest_fields", changed(lambda page: page["files"][0].update(sha256="A" * 64)))
    invalid("signature of zeros", "manifest_signature", sealing.page(jcs.dumps(good), content, signature=bytes(64)))
    foreign = world.Sealing("vectors/another bidder")
    invalid("signed by another", "manifest_signature", foreign.page(jcs.dumps(good), content))
    invalid("another lot", "manifest_ids", changed(lambda page: page.update(lot="E4401000001002")))
    invalid("another envelope", "manifest_ids", changed(lambda page: page.update(envelope=2)))
    invalid("another salt", "manifest_ids", changed(lambda page: page.update(salt=other)))
    invalid("another organisation", "manifest_ids", changed(lambda page: page["bidder"].update(name="别家公司")))
    invalid("gap between files", "file_place", changed(lambda page: page["files"][1].update(offset=22)))
    invalid("files overlap", "file_place", changed(lambda page: page["files"][1].update(offset=0)))
    invalid("files longer than the plaintext", "file_place", changed(lambda page: page["files"][1].update(size=70000)))
    invalid("wrong hash", "file_hash", changed(lambda page: page["files"][0].update(sha256=other)))
    invalid("content changed", "file_hash", sealing.page(jcs.dumps(good), b"HOW" + content[3:]))
    invalid("padding not zero", "padding", start, fill=b"x")
    invalid("padded too far", "padding", start, padded_len=2 * 65536)
    invalid("a chunk changed", "chunk", start, flip=100)
    invalid("the last tag changed", "chunk", start, flip=header.body_len_of(65536) - 1)
    invalid("prefix changed in the body", "prefix", start, flip=0)
    invalid("key commitment of another key", "commitment", start, header_flip=170 + 24)
    invalid("a share's ciphertext changed", "lock_section", start, locked_flip=939 - 1)
    invalid("a commitment changed", "lock_section", start, locked_flip=263)
    cases.append(("stored bytes changed", "lost", "body_root", start, {"stored_flip": 70}))
    cases.append(("stored bytes cut short", "lost", "body_root", start, {"stored_len": 1000}))
    cases.append(("nothing stored", "lost", "body_root", start, {"stored_len": 0}))
    cases.append(
        ("commitment wrong and bytes lost", "invalid", "commitment", start, {"header_flip": 200, "stored_len": 0})
    )
    cases.append(
        ("lock section wrong and bytes lost", "invalid", "lock_section", start, {"locked_flip": 300, "stored_len": 0})
    )
    return {
        "roster": sealing.roster.encode().hex(),
        "spki": sealing.spki.hex(),
        "lot": sealing.lot,
        "salt": sealing.salt.hex(),
        "bidder": {"name": sealing.bidder.name, "uscc": sealing.bidder.uscc},
        "cases": [verdict_case(sealing, *case) for case in cases],
    }


def verdict_case(
    sealing: Any, name: str, kind: str, code: str | None, start: bytes, more: dict[str, Any]
) -> dict[str, Any]:
    padded_len = more.get("padded_len", header.PAD_SMALL)
    fill = more.get("fill", b"\0")
    box = sealing.forge(
        start, padded_len=padded_len, fill=fill, spoil=lambda segments: [world.flipped(segments[0], more.get("flip"))]
    )
    dek = sealing_dek(sealing, box)
    if "header_flip" in more:
        draft = header.parse(world.flipped(box.header.encode(), more["header_flip"]))
        box = sealing.relock(draft, box.segments, dek)
    sealed = world.flipped(box.header.encode(), more.get("locked_flip"))
    body_bytes = b"".join(box.segments)
    return {
        "name": name,
        "kind": kind,
        "code": code,
        "header": sealed.hex(),
        "secrets": [secret.hex() for secret in box.secrets],
        "dek": dek.hex(),
        "body_salt": body_bytes[:24].hex() if more.get("flip") != 0 else world.flipped(body_bytes, 0)[:24].hex(),
        "plaintext_start": start.hex(),
        "padded_len": padded_len,
        "fill": fill.hex(),
        "body_flip": more.get("flip"),
        "stored_flip": more.get("stored_flip"),
        "stored_len": more.get("stored_len"),
    }


if __name__ == "__main__":
    main()
