"""The one ledger: acts, the Merkle tree, tiles, signed notes and cosignatures, receipts (docs/spec/ledger.md)."""
