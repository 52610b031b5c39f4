"""The verbs of this room: load through the unit, judge with pure rules, log the act, keep the state. None commits."""
