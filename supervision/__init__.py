"""Everybody who watches: witnesses, directives, the audit trail, disclosure bundles.

This room reads and warns. It cannot edit a tender: the strongest verb here is a directive."""
