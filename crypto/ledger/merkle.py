"""The Merkle tree of the ledger: RFC 6962 §2.1 over SHA-256, proofs made and checked.

docs/spec/ledger.md §4. Nodes are named (level, number): level 0 holds the leaf hashes, the node (h, n) is the root of
the perfect subtree over the leaves [n·2^h, (n+1)·2^h). A proof is a tuple of 32-byte hashes, leaf side first.
A verifier refuses every proof that the prover would not write: other lengths, other counts, hashes left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from crypto.refusal import Refused

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
SIZE_MAX = 2**63 - 1

GetHash = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x00 || data), 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over all `leaf_hashes` (32 bytes each); SHA-256 of nothing for an empty tree."""
    if not leaf_hashes:
        return EMPTY_ROOT
    level = list(leaf_hashes)
    while len(level) > 1:
        paired = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        # A lone last node moves up unchanged; this gives the same tree as the recursive split at the largest power.
        level = paired + level[len(paired) * 2 :]
    return level[0]


def range_hash(first: int, end: int, get_hash: GetHash) -> bytes:
    """The RFC 6962 hash of the leaves [first, end), where `first` begins a subtree of that tree (end > first ≥ 0)."""
    assert 0 <= first < end
    count = end - first
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        assert first % count == 0, "a perfect subtree begins at a multiple of its own width"
        return get_hash(level, first >> level)
    split = first + _split(count)
    return node_hash(range_hash(first, split, get_hash), range_hash(split, end, get_hash))


def inclusion_proof(index: int, size: int, get_hash: GetHash) -> tuple[bytes, ...]:
    """RFC 6962 §2.1.1 PATH(index, D[size]); `get_hash(level, number)` gives the perfect nodes of the tree of `size`."""
    if not 0 <= index < size:
        raise Refused("leaf_outside_tree", index=index, size=size)
    path: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        split = first + _split(end - first)
        if index < split:
            path.append(range_hash(split, end, get_hash))
            end = split
        else:
            path.append(range_hash(first, split, get_hash))
            first = split
    return tuple(reversed(path))


def consistency_proof(old_size: int, size: int, get_hash: GetHash) -> tuple[bytes, ...]:
    """RFC 6962 §2.1.2 PROOF(old_size, D[size]); empty for old_size 0 and for equal sizes."""
    if not 0 <= old_size <= size:
        raise Refused("tree_smaller_than_before", old_size=old_size, size=size)
    if old_size in (0, size):
        return ()
    path: list[bytes] = []
    first, end = 0, size
    while end != old_size:
        split = first + _split(end - first)
        if old_size <= split:
            path.append(range_hash(split, end, get_hash))
            end = split
        else:
            path.append(range_hash(first, split, get_hash))
            first = split
    # The old tree itself is left out when it is a perfect subtree from the first leaf on: the verifier has its root.
    if first > 0:
        path.append(range_hash(first, end, get_hash))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bytes:
    """Prove that the leaf hash `leaf` is number `index` in the tree of `size` leaves under `root`; returns the root.

    Raises Refused("inclusion_proof"). RFC 9162 §2.1.3.2 gives the algorithm.
    """
    _require_hashes("inclusion_proof", leaf, root, *proof)
    if not 0 <= index < size <= SIZE_MAX:
        raise Refused("inclusion_proof", index=index, size=size)
    number, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise Refused("inclusion_proof", index=index, size=size)
        if number & 1 or number == last:
            computed = node_hash(sibling, computed)
            while number & 1 == 0 and number:
                number, last = number >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        number, last = number >> 1, last >> 1
    if last != 0 or computed != root:
        raise Refused("inclusion_proof", index=index, size=size)
    return computed


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bytes:
    """Prove that the tree (size, root) begins with the tree (old_size, old_root); returns the new root.

    Raises Refused("consistency_proof"). An old size of 0 needs the empty root and an empty proof; equal sizes need
    equal roots and an empty proof. RFC 9162 §2.1.4.2 gives the algorithm.
    """
    refused = Refused("consistency_proof", old_size=old_size, size=size)
    _require_hashes("consistency_proof", old_root, root, *proof)
    if not 0 <= old_size <= size <= SIZE_MAX:
        raise refused
    if old_size in (0, size):
        expected = root if old_size == size else EMPTY_ROOT
        if proof or old_root != expected or (size == 0 and root != EMPTY_ROOT):
            raise refused
        return root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise refused
    number, last = old_size - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old_computed = computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise refused
        if number & 1 or number == last:
            old_computed = node_hash(sibling, old_computed)
            computed = node_hash(sibling, computed)
            while number & 1 == 0 and number:
                number, last = number >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        number, last = number >> 1, last >> 1
    if last != 0 or old_computed != old_root or computed != root:
        raise refused
    return computed


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact right edge of a tree: its size and the roots of its perfect subtrees, largest first.

    What a sequencer keeps between batches: at most 63 hashes. It can append and give the root, but prove nothing.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= SIZE_MAX or len(self.peaks) != self.size.bit_count():
            raise Refused("frontier", size=self.size, peaks=len(self.peaks))
        _require_hashes("frontier", *self.peaks)

    def append(self, leaf_hashes: Iterable[bytes]) -> Frontier:
        """The frontier after `leaf_hashes` (32 bytes each) were appended in order."""
        peaks, size = list(self.peaks), self.size
        for computed in leaf_hashes:
            _require_hashes("frontier", computed)
            carry = size
            while carry & 1:
                computed = node_hash(peaks.pop(), computed)
                carry >>= 1
            peaks.append(computed)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """The RFC 6962 root of the tree, 32 bytes."""
        if not self.peaks:
            return EMPTY_ROOT
        computed = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            computed = node_hash(peak, computed)
        return computed


class Tree:
    """A whole tree in memory: every perfect node of every level, so it can prove anything at any earlier size."""

    def __init__(self, leaf_hashes: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.extend(leaf_hashes)

    @property
    def size(self) -> int:
        """How many leaves were appended."""
        return len(self._levels[0])

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Append leaf hashes (32 bytes each) in order; every new perfect node is hashed once."""
        added = list(leaf_hashes)
        _require_hashes("frontier", *added)
        self._levels[0].extend(added)
        level = 0
        while len(self._levels[level]) > 1:
            if level + 1 == len(self._levels):
                self._levels.append([])
            below, above = self._levels[level], self._levels[level + 1]
            above.extend(
                node_hash(below[2 * number], below[2 * number + 1]) for number in range(len(above), len(below) // 2)
            )
            level += 1

    def get_hash(self, level: int, number: int) -> bytes:
        """The perfect node (level, number), 32 bytes; Refused("node_outside_tree") where there is none."""
        if not (0 <= level < len(self._levels) and 0 <= number < len(self._levels[level])):
            raise Refused("node_outside_tree", level=level, number=number)
        return self._levels[level][number]

    def root(self, size: int | None = None) -> bytes:
        """The root now, or as it was at an earlier `size`."""
        end = self._end(size)
        return range_hash(0, end, self.get_hash) if end else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The inclusion proof of leaf `index` in the tree now, or at an earlier `size`."""
        return inclusion_proof(index, self._end(size), self.get_hash)

    def consistency_proof(self, old_size: int, size: int | None = None) -> tuple[bytes, ...]:
        """The consistency proof from `old_size` to the tree now, or to an earlier `size`."""
        return consistency_proof(old_size, self._end(size), self.get_hash)

    def _end(self, size: int | None) -> int:
        end = self.size if size is None else size
        if not 0 <= end <= self.size:
            raise Refused("tree_smaller_than_before", old_size=end, size=self.size)
        return end


def _split(count: int) -> int:
    """The largest power of two smaller than `count` (count ≥ 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def _require_hashes(code: str, *hashes: bytes) -> None:
    for each in hashes:
        if len(each) != HASH_BYTES:
            raise Refused(code, hash_bytes=len(each))
