"""Sealed bids: the box, the opening ceremony, the opening room.

This room holds ciphertext. It learns a price only when both groups of trustees have released their shares."""
