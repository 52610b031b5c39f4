"""Command lines of bidders and trustees, on their own machines: they import crypto only."""
