"""Uploads: resumed, checked by hash, under a quota, dropped when abandoned, refused first on a full disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bidding import uploads
from crypto.refusal import Refused
from crypto.sealing import header
from storage.blobs import FileBlobs

Play = Callable[..., None]
BIG = {"大.pdf": bytes(3 << 20)}


async def status(stage: Any, sealed: Any, number: int = 1) -> dict[str, Any]:
    told: dict[str, Any] = await stage.database.read(
        lambda unit: uploads.status(unit, sealed.uploads[number], actor=sealed.company.actor)
    )
    return told


async def begin(stage: Any, company: Any, size: int, leaves: list[str]) -> Any:
    return await stage.do(uploads.begin, uploads.BeginUpload(stage.lot, size, leaves), company.actor)


def test_an_upload_says_which_segments_are_here_and_goes_on_where_it_stopped(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company, files=BIG)
        leaves = [hashlib.sha256(each).hexdigest() for each in sealed.bodies[1]]
        begun = await begin(stage, company, sealed.headers[1].body_len, leaves)
        id_ = begun.result["id"]
        assert begun.result["missing"] == list(range(len(leaves)))
        await stage.put(company, id_, 2, sealed.bodies[1][2])
        await stage.put(company, id_, 2, sealed.bodies[1][2])
        again = await begin(stage, company, sealed.headers[1].body_len, leaves)
        assert again.result["id"] == id_ and 2 not in again.result["missing"] and not again.events
        await stage.upload(sealed)
        told = await status(stage, sealed)
        assert told["missing"] == [] and told["here"] == list(range(len(leaves))) and told["id"] == id_

    play(scenario)


def test_a_segment_is_what_was_announced_or_it_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company, files=BIG)
        await stage.upload(sealed)
        other = await stage.seal(company, files=BIG)
        leaves = [hashlib.sha256(each).hexdigest() for each in other.bodies[1]]
        id_ = (await begin(stage, company, other.headers[1].body_len, leaves)).result["id"]
        with pytest.raises(Refused, match="segment_hash_differs"):
            await stage.put(company, id_, 0, sealed.bodies[1][0])
        with pytest.raises(Refused, match="upload_segment_length"):
            await stage.put(company, id_, 0, other.bodies[1][0][:-1])
        with pytest.raises(Refused, match="upload_segment_unknown"):
            await stage.put(company, id_, len(leaves), b"x")
        with pytest.raises(Refused, match="upload_unknown"):
            await stage.put(stage.keys.bidders[1], id_, 0, other.bodies[1][0])
        with pytest.raises(Refused, match="upload_unknown"):
            await stage.database.read(lambda unit: uploads.status(unit, id_, actor=stage.keys.bidders[1].actor))

    play(scenario)


@pytest.mark.parametrize("fault", ["size", "count", "hex", "upper case", "negative"])
def test_an_announcement_that_is_no_body_is_refused(play: Play, fault: str) -> None:
    async def scenario(stage: Any) -> None:
        right = header.body_len_of(65_536)
        leaf = "ab" * 32
        size, leaves = {
            "size": (right + 1, [leaf]),
            "count": (right, [leaf, leaf]),
            "hex": (right, ["g" * 64]),
            "upper case": (right, [leaf.upper()]),
            "negative": (-5, []),
        }[fault]
        with pytest.raises(Refused, match="upload_leaves_wrong"):
            await begin(stage, stage.keys.bidders[0], size, leaves)

    play(scenario)


def test_an_organisation_over_its_quota_is_refused_until_it_submits(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        size = header.body_len_of(1 << 20)
        count = -(-size // header.SEGMENT_BYTES)
        for n in range(3):
            await begin(stage, company, size, [f"{n:064x}"] * count)
        with pytest.raises(Refused, match="upload_over_quota"):
            await begin(stage, company, header.body_len_of(65_536), ["ab" * 32])
        await begin(stage, stage.keys.bidders[1], size, ["cd" * 32] * count)

    play(scenario, plaintext_max=1 << 20)


def test_what_was_submitted_no_longer_counts_against_the_quota(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        for version in range(1, 8):
            await stage.hand_in(company, version=version, files={"a.pdf": bytes(900_000)})
        assert await stage.database.read(lambda unit: unit.submission.count({"lot": stage.lot})) == 7

    play(scenario, plaintext_max=1 << 20)


def test_an_abandoned_upload_is_dropped_after_seven_days_and_a_submitted_one_never(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        kept = await stage.hand_in(company)
        left = await stage.seal(company, version=2)
        await stage.upload(left)
        stage.wait(7 * 86_400 - 1)
        assert await uploads.drop_abandoned(stage.database, stage.blobs, now=stage.now) == 0
        stage.wait(2)
        assert await uploads.drop_abandoned(stage.database, stage.blobs, now=stage.now) == 2
        assert await uploads.drop_abandoned(stage.database, stage.blobs, now=stage.now) == 0
        for sealed, there in ((kept, True), (left, False)):
            for segments in sealed.bodies:
                for each in segments:
                    found = await stage.blobs.size(hashlib.sha256(each).hexdigest())
                    assert (found is not None) is there
        with pytest.raises(Refused, match="bid_upload_incomplete"):
            await stage.submit(left)
        with pytest.raises(Refused, match="upload_closed"):
            await stage.put(company, left.uploads[0], 0, left.bodies[0][0])
        await stage.upload(left)
        await stage.submit(left)

    play(scenario)


def test_dropping_an_upload_keeps_segments_that_a_submitted_bid_has_too(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company)
        await stage.upload(sealed)
        first = list(sealed.uploads)
        await stage.submit(sealed)
        await stage.upload(sealed)
        assert sealed.uploads != first, "a submitted upload is not opened again"
        stage.wait(8 * 86_400)
        assert await uploads.drop_abandoned(stage.database, stage.blobs, now=stage.now) == 2
        for segments in sealed.bodies:
            for each in segments:
                assert await stage.blobs.read(hashlib.sha256(each).hexdigest()) == each

    play(scenario)


def test_nothing_is_uploaded_after_the_deadline(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        company = stage.keys.bidders[0]
        sealed = await stage.seal(company, files=BIG)
        leaves = [hashlib.sha256(each).hexdigest() for each in sealed.bodies[1]]
        id_ = (await begin(stage, company, sealed.headers[1].body_len, leaves)).result["id"]
        stage.until((await stage.tender()).deadline)
        with pytest.raises(Refused, match="bid_received_after_deadline"):
            await stage.put(company, id_, 0, sealed.bodies[1][0])
        with pytest.raises(Refused, match="bid_received_after_deadline"):
            await begin(stage, company, sealed.headers[0].body_len, ["ab" * 32])

    play(scenario)


def test_a_full_disk_refuses_uploads_before_it_refuses_submissions(play: Play, tmp_path: Any) -> None:
    async def scenario(stage: Any) -> None:
        ready, unready = await stage.seal(stage.keys.bidders[0]), await stage.seal(stage.keys.bidders[1])
        await stage.upload(ready)
        stage.blobs = FileBlobs(tmp_path / "blobs", free_bytes_min=1 << 60)
        with pytest.raises(Refused, match="store_full"):
            await stage.upload(unready)
        await stage.submit(ready)

    play(scenario)


def test_segments_of_frozen_bids_are_locked_to_the_end_of_their_retention(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        bids = [await stage.hand_in(one) for one in stage.keys.bidders[:3]]
        await stage.freeze()
        until = stage.now + timedelta(days=3650)
        locked = await uploads.keep_locked(stage.database, stage.blobs, stage.lot, until=until)
        assert locked == sum(len(segments) for each in bids for segments in each.bodies)

    play(scenario)
