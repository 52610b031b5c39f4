"""Practice: a rehearsal beside a real hall, its tender always open, its bids opened within a minute."""
