"""The auditor's program: numbered checks 0…9 over one file, offline, with Python and cryptography alone."""
