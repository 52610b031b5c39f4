"""The trustees' door: frozen headers out, ready and release messages in."""
