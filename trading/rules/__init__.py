"""The guards of a tender: pure functions that return what they checked, or refuse and quote the rule.

They ask the pinned rulebook for every number; none of them reads a clock or a database."""
