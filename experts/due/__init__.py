"""What the clock alone does for a panel: the draw's outcome, invitations, replacements, scores, the report."""
