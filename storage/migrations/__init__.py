"""Numbered migrations, forward only, one file per step and dialect."""
