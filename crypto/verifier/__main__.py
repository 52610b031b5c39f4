"""tradehall-verify: one file judged offline, with the anchors a person brings along (docs/contract.md, bundle.md §8).

Exit codes: 0 nothing failed (and a rehearsal was asked for as one) · 1 something failed · 2 cannot be read, not judged
to the end, or wrong usage · 3 the page did not answer. Never a traceback: what a stranger hands in is answered with a
sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from crypto import trust as trusts
from crypto.ledger.receipt import HEADER as RECEIPT_HEADER
from crypto.refusal import Refused
from crypto.trust import Trust
from crypto.verifier import archive, checks, others, page
from crypto.verifier.archive import Unreadable
from crypto.verifier.crew import Crew, Unfinished, processors
from crypto.verifier.findings import NAMES, Result, tell

PASSED, FAILED, UNREADABLE, UNREACHABLE = 0, 1, 2, 3
FILE_BYTES_MAX: Final = 256 * 1024**2

_WORDS = {"passed": ("通过", "passed"), "failed": ("未通过", "FAILED"), "not_shown": ("未出示", "not shown")}


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one file: kind, exit code, whether it is a rehearsal and whether anchors were given."""

    kind: str
    exit: int
    rehearsal: bool
    anchored: bool
    results: list[Result] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """What `--json OUT` writes."""
        rows = [result.to_json() for result in self.results]
        said = {"exit": self.exit, "kind": self.kind, "rehearsal": self.rehearsal, "anchored": self.anchored}
        return {**said, "checks": rows}


def verify(path: Path, trust: Trust | None, *, rehearsal: bool = False, processes: int = 1) -> Report:
    """Judge a file; a bundle of many bids with the help of up to `processes` processes.

    Raises Unreadable, Unfinished (exit 2) and OSError.
    """
    with path.open("rb") as stream:
        first = stream.read(len(RECEIPT_HEADER))
    if first.startswith(b"PK"):
        return _bundle(path, trust, rehearsal, processes)
    if path.stat().st_size > FILE_BYTES_MAX:
        raise Unreadable("文件过大", "the file is too large")
    data = path.read_bytes()
    if first == RECEIPT_HEADER.encode():
        judged, kind = others.check_receipt(data, trust), "receipt"
    else:
        value = _json(data)
        if value["kind"] == "scores":
            judged, kind = others.check_scores(value), "scores"
        else:
            judged, kind = others.check_draw(value, trust), "draw"
    return _report(kind, judged.results, judged.rehearsal, trust, rehearsal)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parsed = _arguments().parse_args(arguments)
    chosen = parsed.lang or ("en" if os.environ.get("LANG", "").startswith("en") else "zh")
    number = 0 if chosen == "zh" else 1
    try:
        trust = None if parsed.trust is None else trusts.load(Path(parsed.trust).read_bytes())
        if parsed.page:
            return _page(parsed.page, trust, number)
        report = verify(Path(parsed.file), trust, rehearsal=parsed.rehearsal, processes=parsed.processes)
    except Unfinished as error:
        return _stop((error.zh, error.en)[number], UNREADABLE, parsed.json)
    except Unreadable as error:
        return _stop((f"无法读取:{error.zh}", f"cannot be read: {error.en}")[number], UNREADABLE, parsed.json)
    except Refused as refused:
        told_words = tell(refused)
        return _stop(f"trust: {told_words[chosen]}", UNREADABLE, parsed.json)
    except OSError as error:
        name = error.filename or parsed.file
        sentences = (
            f"无法打开文件 {name},请核对路径和权限",
            f"cannot open the file {name}: check its path and permissions",
        )
        return _stop(sentences[number], UNREADABLE, parsed.json)
    if parsed.json:
        Path(parsed.json).write_text(json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    _print(report, number, parsed.rehearsal)
    return report.exit


def _page(url: str, trust: Trust | None, number: int) -> int:
    try:
        code, told = page.check(url, trust)
    except OSError as error:
        return _stop(f"{error}", UNREACHABLE, None)
    _say(*(sentence[number] for sentence in told))
    return code


def _bundle(path: Path, trust: Trust | None, allowed: bool, processes: int) -> Report:
    with Crew(processes) as crew:
        results, case = checks.run(archive.read(path), trust, crew)
    rehearsal = False
    if case is not None:
        origin = case.bundle.notes[case.bundle.size].text.splitlines()[0]
        rehearsal = case.bundle.tender["rehearsal"] or origin.endswith("/rehearsal")
    return _report("bundle", results, rehearsal, trust, allowed)


def _report(kind: str, results: list[Result], rehearsal: bool, trust: Trust | None, allowed: bool) -> Report:
    bad = any(result.outcome == "failed" for result in results) or (rehearsal and not allowed)
    return Report(kind, FAILED if bad else PASSED, rehearsal, trust is not None, results)


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = _strict_json(data)
    except ValueError as error:
        raise Unreadable(f"不是可读的 JSON:{error}", f"not readable JSON: {error}") from error
    if not isinstance(value, dict) or value.get("kind") not in ("draw", "scores"):
        raise Unreadable("不认识的文件", "not a bundle, a receipt, draw.json or scores.json")
    return value


def _strict_json(data: bytes) -> Any:
    """The value of a JSON file that people may have indented; raises ValueError, also for names that stand twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        if len(built) != len(pairs):
            raise ValueError("a name stands twice")
        return built

    def refuse(text: str) -> float:
        raise ValueError(f"not an integer: {text[:40]}")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)
    except RecursionError:
        raise ValueError("too deep") from None


def _print(report: Report, number: int, allowed: bool) -> None:
    if report.rehearsal:
        tail = ("", "") if allowed else (",须加 --rehearsal 才会判为有效", "; exit 0 needs --rehearsal")
        _say(
            ("演练:本文件来自演练大厅,不是真实交易" + tail[0], "REHEARSAL: this file comes from a demo hall" + tail[1])[
                number
            ]
        )
    for result in report.results:
        detail = (result.detail.zh, result.detail.en)[number]
        where = f" [{result.detail.culprit}] {result.detail.event or ''}" if result.outcome == "failed" else ""
        _say(f"{result.id} {NAMES[result.id][number]}: {_WORDS[result.outcome][number]} {detail}{where}".rstrip())
    _say(
        (f"结论:{'有效' if report.exit == 0 else '无效'}", f"verdict: {'valid' if report.exit == 0 else 'NOT valid'}")[
            number
        ]
    )


def _stop(sentence: str, code: int, out: str | None) -> int:
    print(sentence, file=sys.stderr)
    if out:
        Path(out).write_text(json.dumps({"exit": code, "checks": []}) + "\n", "utf-8")
    return code


def _say(*lines: str) -> None:
    for line in lines:
        print(line)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tradehall-verify", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", metavar="FILE", help="bundle, receipt, draw.json or scores.json")
    what.add_argument("--page", metavar="URL", help="compare a page's scripts with the list that the log pins")
    parser.add_argument("--trust", metavar="TRUST.json", help="the anchors, from a place you trust")
    parser.add_argument("--json", metavar="OUT", help="write the results here")
    parser.add_argument("--lang", choices=("zh", "en"))
    parser.add_argument("--processes", metavar="N", type=int, default=processors(), help="at most so many at once")
    parser.add_argument("--rehearsal", action="store_true", help="accept a rehearsal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
