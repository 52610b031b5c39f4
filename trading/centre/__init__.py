"""The door of the trading centre: it serves and keeps; it judges nothing."""
