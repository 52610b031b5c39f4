"""What every command and process says of itself: its version, and the rooms whose words it speaks."""

from importlib import metadata

VERSION = metadata.version("tradehall")
ROOMS = ("crypto", "storage", "trading", "bidding", "experts", "supervision", "portal")
