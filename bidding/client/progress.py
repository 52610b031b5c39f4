"""A bar for what takes long: shown to a person at a terminal, silent where a machine reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


@contextmanager
def bar(arguments: argparse.Namespace, what: str, total: int) -> Iterator[Callable[[int], object]]:
    """A bar of `total` bytes; call what it yields with the bytes that were done since."""
    if getattr(arguments, "json", False) or not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(what, total=total)
        yield lambda count: shown.advance(task, count)
