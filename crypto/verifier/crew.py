"""Work that is the same for every bid, shared out over the processors of the machine (docs/spec/bundle.md §9).

The rules upheld here:
- the answer is that of one process, word for word: results come in the order of the items, and what is told is what is
  wrong first in that order, whoever found it first;
- a process that ends before it has answered (killed, out of memory) ends the verification: what was not judged is
  never accepted, and never blamed on anybody;
- a few items, one processor, or a system that lends no processes: everything is done here, in this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")
# What one process did of its share: the results up to the first item that raised, and what that raised.
Done = tuple[list[R], Exception | None]

ITEMS_MIN: Final = 100
SHARE_ITEMS: Final = 25
PROCESSES_MAX: Final = 32


class Unfinished(Exception):
    """The verification came to no end: nothing is said of the file (exit 2)."""

    zh = "核验没有做完:一个核验进程中途停止(可能是内存不足),未作任何判断,请用 --processes 1 重新核验"
    en = "not judged to the end: a process of the verifier ended early (out of memory?); run again with --processes 1"


class Crew:
    """Up to `processes` processes, begun when there are first `items_min` items, ended with the `with` block.

    Who hands work out from a script of its own needs the usual `if __name__ == "__main__"` around it.
    """

    def __init__(self, processes: int = 1, *, items_min: int = ITEMS_MIN) -> None:
        self.processes = min(processes, PROCESSES_MAX)
        self._items_min = items_min
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """`work(item)` of every item, in order; raises what the first item that fails raises.

        `work` is a function of a module (or a `partial` of one), and it, the items and the results can be pickled.
        Raises Unfinished.
        """
        listed = list(items)
        if self.processes < 2 or len(listed) < self._items_min:
            return map(work, listed)
        shares = [listed[at : at + SHARE_ITEMS] for at in range(0, len(listed), SHARE_ITEMS)]
        handed_out = self._hand_out(work, shares)
        return map(work, listed) if handed_out is None else _collected(handed_out)

    def _hand_out(self, work: Callable[[T], R], shares: Sequence[Sequence[T]]) -> list[Future[Done[R]]] | None:
        """The shares on their way; None where this system lends no processes."""
        try:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(self.processes, initializer=_begin)
            return [self._pool.submit(_do, work, share) for share in shares]
        except BrokenProcessPool:
            raise Unfinished from None
        except (OSError, ImportError, NotImplementedError):
            self.processes = 1
            return None


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _collected(handed_out: Sequence[Future[Done[R]]]) -> Iterator[R]:
    try:
        for future in handed_out:
            try:
                results, wrong = future.result()
            except BrokenProcessPool:
                raise Unfinished from None
            yield from results
            if wrong is not None:
                raise wrong
    finally:
        for future in handed_out:
            future.cancel()


def _do(work: Callable[[T], R], share: Sequence[T]) -> Done[R]:
    results: list[R] = []
    try:
        for item in share:
            results.append(work(item))
    except Exception as wrong:
        return results, wrong
    return results, None


def _begin() -> None:
    """In a new process: Ctrl-C is for the one that was started by a person, and nobody outlives that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
