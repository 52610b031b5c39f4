"""The account door: signing in and out at every door, and what a person keeps of its own account."""
