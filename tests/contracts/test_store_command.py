"""`tradehall store prepare` and `check` on a real SeaweedFS: what they make, what they prove, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from crypto import terminal
from portal import entry
from storage import s3

pytestmark = pytest.mark.servers


class Administrator:
    """Runs the command as the administrator of a store; buckets are named after the test."""

    def __init__(self, store: s3.Store, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.store = store
        self.path = path
        self.capfd = capfd

    def url(self, bucket: str, *, key: str = "", endpoint: str = "") -> str:
        key = key or f"{self.store.access_key}:{self.store.secret_key}"
        return f"s3+http://{key}@{endpoint or self.store.endpoint}/{bucket}"

    def run(self, what: str, url: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, the JSON of the last line, and what a person reads."""
        file = self.path / "store.toml"
        file.write_text(f"blobs_url = {json.dumps(url)}\n")
        code = entry.main(["store", what, "--settings", str(file), "--json", "--lang", "en"])
        out, err = self.capfd.readouterr()
        return code, json.loads(out.splitlines()[-1]), err


@pytest.fixture
def administrator(seaweed: s3.Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Administrator:
    return Administrator(seaweed, tmp_path, capfd)


def test_prepare_makes_the_bucket_once_and_check_proves_what_bids_rely_on(administrator: Administrator) -> None:
    url = administrator.url("prepared")
    code, told, said = administrator.run("check", url)
    assert (code, told["refused"]) == (terminal.REFUSED, "bucket_missing") and "store prepare" in said
    code, told, said = administrator.run("prepare", url)
    assert (code, told["made"], told["bucket"]) == (terminal.DONE, True, "prepared")
    assert "made the bucket prepared with Object Lock" in said
    for what in ("prepare", "check"):
        code, told, said = administrator.run(what, url)
        assert (code, told["made"], told["proved"]) == (terminal.DONE, False, list(s3.PROVED))
        assert "proved: a locked object is not deleted" in said


def test_a_bucket_without_a_lock_is_refused_and_never_gets_one(administrator: Administrator) -> None:
    store = administrator.store
    Minio(store.endpoint, store.access_key, store.secret_key, secure=False, region=store.region).make_bucket("lockless")
    for what in ("check", "prepare"):
        code, told, said = administrator.run(what, administrator.url("lockless"))
        assert (code, told["refused"]) == (terminal.REFUSED, "object_lock_missing") and "Object Lock" in said


def test_a_wrong_key_and_a_store_that_is_away_are_told_apart(administrator: Administrator) -> None:
    code, told, said = administrator.run("check", administrator.url("segments", key="hall:wrong"))
    assert (code, told["refused"]) == (terminal.REFUSED, "store_key_refused") and "administrator's key" in said
    code, told, said = administrator.run("check", administrator.url("segments", endpoint="127.0.0.1:1"))
    assert (code, told["refused"]) == (terminal.UNREACHABLE, "server_unreachable") and "127.0.0.1:1" in said
    code, told, _ = administrator.run("check", "http://elsewhere/segments")
    assert (code, told["refused"]) == (terminal.REFUSED, "setting_wrong")
