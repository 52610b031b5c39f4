"""What was published, as everybody finds and reads it: words, lists, legal time limits, marked changes."""
