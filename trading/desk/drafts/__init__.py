"""Preparing a tender: its steps, its schedule, its check, and where a draft is kept."""
