"""The tree against RFC 6962's published proofs, against its recursive definition, and against bad proofs by name."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.ledger import merkle
from crypto.refusal import Refused

VECTORS = Path(__file__).parent.parent / "vectors" / "rfc6962"
# The source accepts roots that are no hashes when two sizes are equal; see the README beside the vectors.
STRICTER_HERE = {"sizes-are-equal-one-and-proof-is-empty.json"}

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(130)]


def files(folder: str) -> list[Path]:
    found = sorted((VECTORS / folder).rglob("*.json"))
    assert len(found) > 60
    return found


def unbase64(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = max(1 << bits for bits in range(10) if 1 << bits < len(leaves))
    return sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


@pytest.mark.parametrize("path", files("inclusion"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_published_inclusion_proofs(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [unbase64(each) for each in case["proof"] or []]
    arguments = (unbase64(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, unbase64(case["root"]))
    if case["wantErr"]:
        with pytest.raises(Refused) as err:
            merkle.verify_inclusion(*arguments)
        assert err.value.code == "inclusion_proof"
    else:
        assert merkle.verify_inclusion(*arguments) == unbase64(case["root"])


@pytest.mark.parametrize("path", files("consistency"), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_published_consistency_proofs(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [unbase64(each) for each in case["proof"] or []]
    arguments = (case["size1"], unbase64(case["root1"]), case["size2"], unbase64(case["root2"]), proof)
    if case["wantErr"] or path.name in STRICTER_HERE:
        with pytest.raises(Refused) as err:
            merkle.verify_consistency(*arguments)
        assert err.value.code == "consistency_proof"
    else:
        assert merkle.verify_consistency(*arguments) == unbase64(case["root2"])


def test_leaf_and_node_hashes_are_told_apart_by_their_first_byte() -> None:
    assert merkle.leaf_hash(b"") == bytes.fromhex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    left, right = LEAVES[:2]
    assert merkle.node_hash(left, right) != merkle.leaf_hash(left + right)


def test_every_root_frontier_and_proof_up_to_seventy_leaves() -> None:
    tree, frontier = merkle.Tree(), merkle.Frontier()
    for size in range(1, 71):
        tree.extend([LEAVES[size - 1]])
        frontier = frontier.append([LEAVES[size - 1]])
        root = defined_root(LEAVES[:size])
        assert merkle.root(LEAVES[:size]) == tree.root() == frontier.root() == root
        for index in range(size):
            merkle.verify_inclusion(LEAVES[index], index, size, tree.inclusion_proof(index), root)
        for old_size in range(size + 1):
            proof = tree.consistency_proof(old_size)
            merkle.verify_consistency(old_size, tree.root(old_size), size, root, proof)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6))
def test_appending_in_any_batches_gives_one_tree(batches: list[int]) -> None:
    tree, frontier, size = merkle.Tree(), merkle.Frontier(), 0
    for count in batches:
        batch = LEAVES[size % 90 : size % 90 + count]
        tree.extend(batch)
        frontier = frontier.append(batch)
        size += len(batch)
        assert frontier.size == tree.size == size
        assert frontier.root() == tree.root()
    assert merkle.Frontier(frontier.size, frontier.peaks) == frontier


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_one_flipped_bit_anywhere_in_a_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 130))
    index = data.draw(st.integers(0, size - 1))
    tree = merkle.Tree(LEAVES[:size])
    proof = list(tree.inclusion_proof(index))
    at, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    flipped = int.from_bytes(proof[at], "big") ^ (1 << bit)
    proof[at] = flipped.to_bytes(32, "big")
    with pytest.raises(Refused, match="inclusion_proof"):
        merkle.verify_inclusion(LEAVES[index], index, size, proof, tree.root())


def test_node_handed_in_as_a_leaf_at_another_depth_is_refused() -> None:
    tree = merkle.Tree(LEAVES[:8])
    inner = tree.get_hash(1, 0)
    with pytest.raises(Refused, match="inclusion_proof"):
        merkle.verify_inclusion(inner, 0, 8, tree.inclusion_proof(0)[1:], tree.root())


def test_log_that_replaced_an_old_leaf_cannot_prove_consistency() -> None:
    honest = merkle.Tree(LEAVES[:21])
    forked = merkle.Tree([*LEAVES[:5], merkle.leaf_hash(b"another"), *LEAVES[6:40]])
    for proof in (forked.consistency_proof(21), honest.consistency_proof(16), ()):
        with pytest.raises(Refused, match="consistency_proof"):
            merkle.verify_consistency(21, honest.root(), 40, forked.root(), proof)


def test_tree_that_shrinks_has_no_proof() -> None:
    tree = merkle.Tree(LEAVES[:9])
    with pytest.raises(Refused, match="tree_smaller_than_before"):
        tree.consistency_proof(9, 8)
    with pytest.raises(Refused, match="consistency_proof"):
        merkle.verify_consistency(9, tree.root(9), 8, tree.root(8), ())


def test_what_is_outside_the_tree_is_refused() -> None:
    tree = merkle.Tree(LEAVES[:5])
    for asked in (lambda: tree.inclusion_proof(5), lambda: tree.root(6), lambda: tree.get_hash(1, 2)):
        with pytest.raises(Refused):
            asked()
    for peaks in ((LEAVES[0],), (LEAVES[0], b"short"), ()):
        with pytest.raises(Refused, match="frontier"):
            merkle.Frontier(3, peaks)
