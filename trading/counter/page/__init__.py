"""The page kit that every door shares: languages, rendering, forms, sessions, acts that a person signs."""
