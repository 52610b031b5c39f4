"""Papers people keep: typst templates and how they become PDF; the same data gives the same bytes."""
