"""The front door: builds and starts every process, clockwork, demo, command line. Nothing imports it."""
