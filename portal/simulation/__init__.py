"""Simulated tenders: a whole hall in memory, people who cheat in it, and the invariants that every step must keep."""
