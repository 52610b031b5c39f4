"""Bytes in, bytes out: envelopes, shares, the Merkle log, signatures, the draw and the trustee's release machine.

Nothing here reads a clock, a socket or a database; entropy and time are arguments. Everything above may import
this room, this room imports nothing of Tradehall. The specification is docs/spec/."""
