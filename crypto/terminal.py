"""The manners of every command line: language, one JSON line for machines, exit codes (contract: Commands).

0 done or valid · 1 refused or invalid · 2 unreadable input or wrong usage · 3 server unreachable or busy.
A command is a function from parsed arguments to a result object; refusals become sentences here and nowhere else.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from crypto import words
from crypto.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DONE, REFUSED, UNREADABLE, UNREACHABLE = 0, 1, 2, 3


class Unreachable(Exception):
    """The server did not answer, or asked to come again later."""


class Unreadable(Exception):
    """A file or argument that cannot be read at all; the text says which and what to do."""


class Told(Exception):
    """A refusal that a server already put into words: the problem document it sent."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("code")))
        self.problem = problem


class Arguments(argparse.ArgumentParser):
    """An argument parser that ends with 2 and takes `--lang` and `--json` everywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["allow_abbrev"] = False
        super().__init__(*args, **kwargs)
        self.add_argument("--lang", choices=("zh", "en"), default=argparse.SUPPRESS, help="language / 语言")
        self.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="last line is one JSON object")

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UNREADABLE, f"{self.prog}: {message}\n")


def language(arguments: argparse.Namespace) -> str:
    """`--lang`, else what LANG says, else Chinese."""
    chosen = getattr(arguments, "lang", None)
    if chosen:
        return str(chosen)
    return "en" if os.environ.get("LANG", "").startswith("en") else "zh"


def run(
    command: Callable[[argparse.Namespace], Mapping[str, Any]], arguments: argparse.Namespace, tables: Sequence[str]
) -> int:
    """Run one command, print its result or its refusal, and return the exit code."""
    machine = bool(getattr(arguments, "json", False))
    lang = language(arguments)
    try:
        result = command(arguments)
    except Refused as refused:
        message = words.tell(refused, words.load(*tables))
        return _refuse({"refused": refused.code, "rule": refused.rule, "message": message}, lang, machine)
    except Told as told:
        problem = told.problem
        said = {key: problem.get(key) for key in ("code", "rule", "message")}
        return _refuse({"refused": said["code"], "rule": said["rule"], "message": said["message"]}, lang, machine)
    except Unreachable as error:
        return _fail("server_unreachable", str(error), UNREACHABLE, machine)
    except (Unreadable, OSError) as error:
        return _fail("input_unreadable", str(error), UNREADABLE, machine)
    if machine:
        print(json.dumps(result, ensure_ascii=False, separators=(",", ":")), flush=True)
    return int(result.get("exit", DONE))


def say(arguments: argparse.Namespace, zh: str, en: str) -> None:
    """Print one sentence in the user's language (on standard error when the last line must be JSON)."""
    stream = sys.stderr if getattr(arguments, "json", False) else sys.stdout
    print(zh if language(arguments) == "zh" else en, file=stream, flush=True)


def _refuse(said: Mapping[str, Any], lang: str, machine: bool) -> int:
    message = said["message"] or {"zh": said["refused"], "en": said["refused"]}
    rule = f" [{said['rule']}]" if said["rule"] else ""
    print(f"{message[lang]}{rule}", file=sys.stderr, flush=True)
    if machine:
        print(json.dumps(said, ensure_ascii=False, separators=(",", ":")), flush=True)
    return REFUSED


def _fail(code: str, text: str, exit_code: int, machine: bool) -> int:
    print(text, file=sys.stderr, flush=True)
    if machine:
        said = {"refused": code, "rule": None, "message": {"zh": text, "en": text}}
        print(json.dumps(said, ensure_ascii=False, separators=(",", ":")), flush=True)
    return exit_code
