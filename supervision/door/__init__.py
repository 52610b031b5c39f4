"""The supervisor's door."""
