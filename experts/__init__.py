"""Experts: pool, avoidance, verifiable draw, review room, scoring.

This room decides who scores and adds the scores up. Names stay masked until sign-in."""
