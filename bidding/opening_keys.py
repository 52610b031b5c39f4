"""One-time opening keys of the opening room and of supervision's verifier, made ahead and kept apart from the hall.

docs/spec/release.md §6, sealing rules §5 (Release). A TENDER act pins one key of each; the trustees seal the documents'
shares to both. A key is useless before the release and is destroyed after the archive decision. Private halves lie in a
vault that only the process of that reader opens; the database holds public halves and by whom they were used.

Whoever reads a vault learns nothing before the trustees release; afterwards they can open the documents of the tenders
whose keys are still in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from crypto.sealing import hpke
from crypto.signing import Signer
from storage.unit import Unit

Reader = Literal["room", "verifier"]
READERS: tuple[Reader, Reader] = ("room", "verifier")
KEYS_IN_STOCK = 20
UNUSED = ""


class Vault(Protocol):
    """Where the private halves of one-time keys lie, by public key (hex)."""

    def put(self, public: str, secret: bytes) -> None:
        """Keeps a secret (32 bytes) durably, before anybody is told the public half."""
        ...

    def get(self, public: str) -> bytes | None:
        """The secret of a public key, None when it was never here or is destroyed."""
        ...

    def destroy(self, public: str) -> None:
        """Forgets a secret for ever; forgetting it again changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class FileVault:
    """A folder of files `<public hex>.key`, 32 bytes each, for their owner alone (0600)."""

    folder: Path

    def put(self, public: str, secret: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(public)
        temporary = path.with_suffix(".new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, secret)
            os.fsync(handle)
        finally:
            os.close(handle)
        temporary.rename(path)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def get(self, public: str) -> bytes | None:
        try:
            return self._path(public).read_bytes()
        except FileNotFoundError:
            return None

    def destroy(self, public: str) -> None:
        self._path(public).unlink(missing_ok=True)

    def _path(self, public: str) -> Path:
        assert len(public) == 64 and not set(public) - set("0123456789abcdef"), "a key's name is 32 bytes in hex"
        return self.folder / f"{public}.key"


@dataclass(frozen=True, slots=True)
class Desk:
    """One of the two who open: which one, the key it signs verdicts with, and its vault of opening keys."""

    reader: Reader
    signer: Signer
    vault: Vault


async def stock(unit: Unit, desk: Desk, *, entropy: Callable[[int], bytes], count: int = KEYS_IN_STOCK) -> int:
    """Make new one-time keys until `count` unused ones of this reader are there; returns how many were made.

    The private half is in the vault before the row is written: a crash leaves a key that nobody uses.
    """
    there = await unit.prekey.count({"trustee": desk.reader, "tender_id": UNUSED})
    for _ in range(count - there):
        secret, public = hpke.generate(entropy=entropy)
        desk.vault.put(public.hex(), secret)
        await unit.prekey.insert(
            {"key": public.hex(), "trustee": desk.reader, "tender_id": UNUSED, "body": {"purpose": "opening"}}
        )
    return max(0, count - there)
