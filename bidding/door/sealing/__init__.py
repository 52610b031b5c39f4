"""Sealing in the browser: plain ES modules that run as they are read, and their names and hashes (README.md here)."""
