"""An upload of 256 MiB through a line that is cut at 30 % and at 70 %: it goes on where it stopped, and is proved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bidding.client import bidfile, submitting
from crypto.verifier import __main__ as verifier
from tests.cut_line import CutLine, grow

PLAINTEXT_BYTES = 256 << 20


@pytest.fixture
def line(served: Any) -> Iterator[CutLine]:
    made = CutLine(served.url)
    yield made
    made.close()


def test_an_upload_cut_at_30_and_70_percent_resumes_and_its_receipt_verifies_offline(
    served: Any, line: CutLine, tmp_path: Path
) -> None:
    folder = served.folder("05")
    with_bid = json.loads((folder / "bid.json").read_text("utf-8"))
    name = with_bid["files"][1]["path"]
    grow(folder / "files" / name, PLAINTEXT_BYTES)
    sealed = folder.with_suffix(".bid")
    told = served.bidder("05", "seal", folder, "-o", sealed)
    assert told.code == 0, told.err
    shutil.rmtree(folder)
    whole = sum(each.size for each in bidfile.read(sealed).envelopes)
    line.cuts = [(int(whole * 0.3), True), (int(whole * 0.7), False)]

    first = served.bidder("05", "submit", sealed, url=line.url)
    assert (first.code, line.made) == (3, 2), first.err
    assert first.json["refused"] == "server_unreachable"
    assert submitting.state(sealed).get("stage") != "submitted"
    line.mend()
    sent = line.sent
    second = served.bidder("05", "submit", sealed, url=line.url)
    assert second.code == 0, second.err
    assert second.json["stage"] in ("submitted", "witnessed")
    assert line.sent - sent < whole * 0.4, "what had arrived was sent again"

    kept = tmp_path / "05.receipt"
    assert served.bidder("05", "receipt", sealed, "-o", kept).code == 0
    trust = served.identity("05") / "trust.json"
    assert verifier.main([str(kept), "--trust", str(trust), "--rehearsal"]) == 0


def test_running_submit_again_changes_nothing(served: Any) -> None:
    sealed = served.sealed("06")
    first = served.bidder("06", "submit", sealed)
    again = served.bidder("06", "submit", sealed)
    assert (first.code, again.code) == (0, 0), again.err
    assert first.json["event"] == again.json["event"]
    sealed.with_name(sealed.name + ".state").write_text("{", "utf-8")
    assert served.bidder("06", "submit", sealed).json["event"] == first.json["event"], "a lost state loses nothing"
