"""The experts' door: invitation, sign-in, score sheets, report."""
