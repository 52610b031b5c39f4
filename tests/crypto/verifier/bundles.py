"""The members of a bundle out of a played tender (docs/spec/bundle.md §2 to §5), and a manifest made again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crypto import jcs
from crypto.verifier import archive

if TYPE_CHECKING:
    from tests.crypto.verifier.sealed import Bid
    from tests.crypto.verifier.world import World

FULL_OBJECTS = {"sheets_hash", "report_hash", "avoidance_hash"}


def members(world: World, view: str) -> Iterator[tuple[str, bytes]]:
    """Every member in order, the manifest first."""
    parts = dict(_parts(world, view))
    return with_manifest(parts, head(world, view))


def head(world: World, view: str) -> dict[str, Any]:
    """The manifest without its files."""
    heads = {"hall": world.hall.hall_acts[-1].leaf, "tender": world.hall.acts[-1].leaf}
    return {
        "v": 1,
        "view": view,
        "lot": world.hall.acts[0].act["lot"],
        "tender_id": world.hall.tender_id,
        "heads": heads,
    }


def with_manifest(parts: dict[str, bytes], top: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """A manifest that fits the parts, then the parts in order."""
    files = [
        {"path": name, "sha256": sha256(data).hexdigest(), "size": len(data)} for name, data in sorted(parts.items())
    ]
    yield "manifest.json", jcs.dumps({**top, "files": files})
    yield from sorted(parts.items())


def unpack(path: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The members of a bundle without its manifest, and the manifest without its files."""
    read = archive.read(path)
    parts = {name: read.read(name) for name in read.members}
    top = jcs.loads(parts.pop("manifest.json"))
    top.pop("files")
    return parts, top


def pack(path: Path, parts: dict[str, bytes], top: dict[str, Any]) -> Path:
    """Write changed parts as a bundle whose manifest fits them: what a forger would do."""
    archive.write(path, with_manifest(parts, top))
    return path


def _parts(world: World, view: str) -> Iterator[tuple[str, bytes]]:
    hall = world.hall
    sizes = sorted(hall.notes)
    wanted = {act.act["checkpoint"]["size"] for act in hall.acts if act.act["kind"] == "ready"}
    for act in hall.acts:
        if act.act["kind"] in ("tender", "amendment", "deadline", "publicity"):
            wanted.add(min(size for size in sizes if size > act.index))
    shown = sorted((wanted & set(sizes)) | {sizes[-1]})
    yield "log/checkpoint", hall.notes[sizes[-1]]
    for size in shown[:-1]:
        yield f"log/checkpoints/{size}", hall.notes[size]
    yield (
        "log/consistency.json",
        jcs.dumps(
            [
                {"from": old, "to": new, "proof": [each.hex() for each in hall.tree.consistency_proof(old, new)]}
                for old, new in itertools.pairwise(shown)
            ]
        ),
    )
    for name, rows in (("log/hall.jsonl", hall.hall_acts), ("log/acts.jsonl", hall.acts)):
        yield name, _lines({"index": row.index, "act": row.act, "proof": _proof(world, row.index)} for row in rows)
    yield from _objects(world, view)
    for bid in world.bids if view == "full" else world.listed:
        yield from _bid(world, bid, view)
    if view == "full":
        yield from _private(world)


def _objects(world: World, view: str) -> Iterator[tuple[str, bytes]]:
    named: set[str] = set()
    for shown in world.hall.acts:
        for name, value in shown.act.items():
            if name.endswith("_hash") and name != "registry_hash" and (view == "full" or name not in FULL_OBJECTS):
                named.add(value)
            if name == "rulebook":
                named.add(value["hash"])
            if name == "contributions":
                named |= {row["header"] for row in value}
    for name in named:
        yield f"objects/{name}", world.objects[name]


def _bid(world: World, bid: Bid, view: str) -> Iterator[tuple[str, bytes]]:
    base, event = f"bids/{bid.name}/", bid.event
    assert event is not None
    for number, head_ in enumerate(bid.headers):
        yield f"{base}header-{number}", head_.encode()
    hidden = sha256(event.salt_c + jcs.dumps(event.confidential)).hexdigest()
    yield (
        base + "submission.json",
        jcs.dumps(
            {
                "v": 1,
                "event": event.public,
                "salt_p": event.salt_p.hex(),
                "confidential": hidden,
                "index": event.index,
                "proof": _proof(world, event.index),
                "certificate": bid.bidder.signer.certificate.hex(),
                "signature": bid.signature.hex(),
                "salt": bid.salt.hex(),
            }
        ),
    )
    if bid not in world.listed:
        return
    yield base + "body-0", bid.bodies[0]
    if view == "full":
        yield base + "body-1", bid.bodies[1]
        if bid.bidder.person != "p-epsilon":
            yield base + "secrets.json", jcs.dumps({"v": 1, "secrets": [each.hex() for each in bid.secrets[1]]})


def _private(world: World) -> Iterator[tuple[str, bytes]]:
    yield (
        "private/events.jsonl",
        _lines(
            {
                "index": event.index,
                "public": event.public,
                "salt_p": event.salt_p.hex(),
                "confidential": event.confidential,
                "salt_c": event.salt_c.hex(),
                "proof": _proof(world, event.index),
            }
            for event in world.hall.events
        ),
    )
    yield (
        "private/contexts.jsonl",
        _lines(
            {"index": shown.index, "salt": shown.context[0].hex(), "context": shown.context[1]}
            for shown in world.hall.acts
            if shown.context is not None
        ),
    )
    yield "private/unmasking.json", jcs.dumps(world.unmasking)


def _proof(world: World, index: int) -> list[str]:
    return [each.hex() for each in world.hall.tree.inclusion_proof(index)]


def _lines(rows: Any) -> bytes:
    return b"".join(jcs.dumps(row) + b"\n" for row in rows)
