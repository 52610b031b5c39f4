"""An act that a page showed, signed on the bidder's own machine from file to file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bidding.client import bidder
from crypto import certificates, signing, trust
from crypto.certificates import Authority
from crypto.ledger import note
from crypto.signing import Ed25519Signer, P256Signer
from storage.world import SeededEntropy

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
ACT = {
    "v": 1,
    "kind": "award",
    "tender_id": "ab" * 32,
    "at": "2026-03-02T01:00:00.000Z",
    "role": "owner",
    "signatures": [],
}


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    entropy = SeededEntropy("sign a file")
    root, key = signing.new_p256(entropy=entropy), signing.new_p256(entropy=entropy)
    until = NOW + timedelta(days=400)
    authority = Authority.create("CA", key=root, serial=1, not_before=NOW, not_after=until)
    request = certificates.request("青溪县公路养护中心", "12510100450000001E", key=key)
    certificate = authority.issue(request, serial=2, not_before=NOW, not_after=until)
    folder = tmp_path / "identity"
    folder.mkdir()
    (folder / "identity.pem").write_bytes(P256Signer(key, certificate).to_pem())
    keys = [Ed25519Signer.generate(entropy=entropy).key for _ in range(5)]
    witnesses = tuple(
        note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, one))
        for (name, group), one in zip((("a", "operation"), ("b", "supervision")), keys, strict=False)
    )
    anchors = trust.dump(
        hall="hall", log=note.VerifierKey("tradehall/x", note.LOG_SIGNATURE, keys[2]), witnesses=witnesses, quorum=2,
        trustee_roots={"centre": keys[3], "supervision": keys[4]}, ca_roots=(authority.certificate,),
        contributors={
            side: signing.spki(signing.new_p256(entropy=entropy).public_key()) for side in ("centre", "supervision")
        },
    )  # fmt: skip
    (folder / "trust.json").write_bytes(anchors)
    (folder / "profile.json").write_text(json.dumps({"name": "青溪县公路养护中心", "uscc": "12510100450000001E"}))
    return folder


def test_what_is_signed_is_the_act_and_verifies(identity: Path, tmp_path: Path) -> None:
    (tmp_path / "act.json").write_text(json.dumps(ACT, ensure_ascii=False, indent=1))
    out = tmp_path / "signed.json"
    assert bidder.main(["--identity", str(identity), "sign", str(tmp_path / "act.json"), "-o", str(out)]) == 0
    signed = json.loads(out.read_text())
    assert {**signed, "signatures": []} == ACT
    (proved,) = signing.verify_act(signed)
    assert proved.by == "owner"


@pytest.mark.parametrize("text", ["{}", '{"kind": "award"}', json.dumps({**ACT, "signatures": [{"by": "x"}]})])
def test_what_is_no_act_is_not_signed(identity: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "act.json").write_text(text)
    out = tmp_path / "signed.json"
    assert bidder.main(["--identity", str(identity), "sign", str(tmp_path / "act.json"), "-o", str(out)]) == 1
    assert not out.exists()
