"""What outlives a process and knows no rule: unit of work, ledger, sequencer, blobs, jobs, the clock, schema, grants.

Whoever controls this room can lose or withhold data; they cannot read a bid, nor change the ledger unnoticed."""
