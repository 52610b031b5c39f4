"""Manifests: exact fields, one wording of the price, and no file name that plays tricks."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs
from crypto.refusal import Refused
from crypto.sealing import manifest

NAMES = json.loads((Path(__file__).parents[1] / "vectors/sealbid/names.json").read_text())


def test_manifest_of_the_record_is_as_the_contract_says(sealing: Any) -> None:
    built = sealing.manifest(0, {})
    assert built == {
        "v": 1,
        "lot": sealing.lot,
        "envelope": 0,
        "bidder": {"name": sealing.bidder.name, "uscc": sealing.bidder.uscc},
        "salt": sealing.salt.hex(),
        "opening_list": {
            "price_fen": 123456789,
            "price_words": "壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分",
            "period_days": 180,
            "quality": "合格",
            "leader": {"name": "李工", "certificate": "粤1442020202100001"},
        },
        "files": [],
        "environment": {},
    }


def test_manifest_of_the_documents_places_files_back_to_back(sealing: Any) -> None:
    built = sealing.manifest(1, {"a.pdf": b"12345", "b.pdf": b"", "c.pdf": b"678"})
    assert [entry["offset"] for entry in built["files"]] == [0, 5, 5]
    assert "opening_list" not in built
    length = len(jcs.dumps(built))
    assert manifest.check_places(built, manifest_len=length, padded_len=65536) == 4 + length + 64 + 8


@pytest.mark.parametrize("vector", NAMES["refused"], ids=lambda vector: ascii(vector["name"][:20]))
def test_file_name_refused(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as err:
        manifest.check_file_name(vector["name"])
    assert err.value.code == vector["code"]
    str(err.value).encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("name", NAMES["valid"])
def test_file_name_accepted(name: str) -> None:
    assert manifest.check_file_name(name) == name


def test_gbk_file_name_from_a_disk_is_refused_with_words_for_a_person(tmp_path: Path) -> None:
    """On Linux a name written under GBK arrives with lone surrogates; it must be refused, not stored mangled."""
    raw = os.path.join(os.fsencode(tmp_path), "投标.pdf".encode("gbk"))
    Path(os.fsdecode(raw)).write_bytes(b"content")
    (found,) = tmp_path.iterdir()
    with pytest.raises(Refused) as err:
        manifest.facts_of(found, name=found.name, media_type="application/pdf")
    assert err.value.code == "file_name_encoding"
    json.dumps(err.value.facts).encode()


def test_facts_of_path_and_stream_agree(tmp_path: Path) -> None:
    content = b"x" * 3_000_000
    path = tmp_path / "a.pdf"
    path.write_bytes(content)
    facts = manifest.facts_of(path, name="a.pdf", media_type="application/pdf")
    assert facts == manifest.facts_of(lambda: io.BytesIO(content), name="a.pdf", media_type="application/pdf")
    assert (facts.size, facts.sha256) == (len(content), hashlib.sha256(content).digest())


DROP = object()


def set_at(page: Any, path: str, value: Any) -> None:
    *parents, last = path.split("/")
    for step in parents:
        page = page[int(step) if step.isdigit() else step]
    if isinstance(page, list):
        page[int(last)] = value
    elif value is DROP:
        del page[last]
    else:
        page[last] = value


RECORD_WRONG = [
    ("v", 2),
    ("v", True),
    ("v", "1"),
    ("lot", ""),
    ("lot", 7),
    ("lot", "x" * 65),
    ("lot", DROP),
    ("envelope", False),
    ("envelope", 3),
    ("envelope", -1),
    ("envelope", None),
    ("envelope", [0]),
    ("salt", "A" * 64),
    ("salt", "0" * 63),
    ("salt", "0" * 64 + "\n"),
    ("bidder", "南岭"),
    ("bidder/name", " 南岭"),
    ("bidder/name", "南\u202e岭"),
    ("bidder/uscc", "91440101ma5ctr0001"),
    ("bidder/uscc", "9144"),
    ("bidder/extra", 1),
    ("opening_list", DROP),
    ("opening_list/price_fen", 0),
    ("opening_list/price_fen", "123456789"),
    ("opening_list/price_fen", 123456788),
    ("opening_list/price_words", "壹元整"),
    ("opening_list/price_words", "人民币壹佰贰拾叁万肆仟伍佰陆拾柒元捌角玖分"),
    ("opening_list/price_words", DROP),
    ("opening_list/period_days", 0),
    ("opening_list/period_days", "180"),
    ("opening_list/period_days", 36501),
    ("opening_list/quality", ""),
    ("opening_list/leader", []),
    ("opening_list/leader/name", "x" * 201),
    ("opening_list/leader/certificate", None),
    ("opening_list/leader/phone", "1"),
    ("environment", {"machine": "x"}),
    ("environment", []),
    ("files", {}),
    ("extra", 1),
]

DOCUMENTS_WRONG = [
    ("opening_list", {}),
    ("environment", {"a": 1}),
    ("environment", {"": "x"}),
    ("environment", {str(number): "x" for number in range(33)}),
    ("files/0", 1),
    ("files/0/name", 1),
    ("files/0/name", "a\\b.pdf"),
    ("files/1/name", "A.PDF"),
    ("files/0/type", "pdf"),
    ("files/0/type", "Application/PDF"),
    ("files/0/size", 1.0),
    ("files/0/size", True),
    ("files/0/size", -1),
    ("files/0/size", 2**31 + 1),
    ("files/0/sha256", "0" * 62),
    ("files/0/offset", -1),
    ("files/0/mode", 1),
]


@pytest.mark.parametrize(
    ("number", "path", "value"),
    [(0, *wrong) for wrong in RECORD_WRONG] + [(1, *wrong) for wrong in DOCUMENTS_WRONG],
)
def test_field_refused(sealing: Any, number: int, path: str, value: Any) -> None:
    page = sealing.manifest(number, {} if number == 0 else {"a.pdf": b"1", "b.pdf": b"2"})
    assert manifest.check_fields(page) == page
    set_at(page, path, value)
    with pytest.raises(Refused) as err:
        manifest.check_fields(page)
    assert err.value.code == "manifest_fields"
    assert err.value.facts["field"] and err.value.facts["problem"]


@pytest.mark.parametrize("value", [None, [], "x", 1, {}])
def test_anything_but_a_manifest_is_refused(value: Any) -> None:
    with pytest.raises(Refused) as err:
        manifest.check_fields(value)
    assert err.value.code == "manifest_fields"


def test_too_many_files_are_refused(sealing: Any) -> None:
    page = sealing.manifest(1, {})
    page["files"] = [{}] * (manifest.FILES_MAX + 1)
    with pytest.raises(Refused) as err:
        manifest.check_fields(page)
    assert err.value.facts["field"] == "files"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lot": "E4401000001002"}, "lot"),
        ({"envelope": 0}, "envelope"),
        ({"salt": bytes(32)}, "salt"),
        ({"bidder": manifest.Bidder("别家公司", "91440101MA5CTR0001")}, "bidder"),
    ],
)
def test_manifest_of_another_bid_is_refused(sealing: Any, change: dict[str, Any], field: str) -> None:
    page = sealing.manifest(1, {})
    right: dict[str, Any] = {"lot": sealing.lot, "envelope": 1, "salt": sealing.salt, "bidder": sealing.bidder}
    manifest.check_ids(page, **right)
    with pytest.raises(Refused) as err:
        manifest.check_ids(page, **(right | change))
    assert (err.value.code, err.value.facts["field"]) == ("manifest_ids", field)


def test_amount_that_words_cannot_carry_is_refused(sealing: Any) -> None:
    too_much = manifest.OpeningList(2**53, 1, "合格", "李工", "1")
    with pytest.raises(Refused) as err:
        sealing.manifest(0, {}, opening_list=too_much)
    assert err.value.code == "amount_outside_range"
