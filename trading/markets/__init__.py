"""One frozen Market per kind of trade: its rulebook values, each with its article."""
