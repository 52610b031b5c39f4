"""The documents speak of what exists: every file, function, link and command that they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from portal.processes import commands as processes

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])
ROOMS = ("crypto", "storage", "trading", "bidding", "experts", "supervision", "portal")
FOLDERS = (*ROOMS, "tests", "docs", "examples", "bench")
CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
PATH = re.compile(
    rf"(?:{'|'.join(FOLDERS)}|\.ci)/[^\s`()（），。；]*|(?:Makefile|Dockerfile|docker-compose\.yml|pyproject\.toml)"
)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NAMED = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def quoted(document: Path) -> list[str]:
    """What stands between backticks, fenced blocks left out."""
    return [text for _, text in CODE.findall(FENCE.sub("", document.read_text("utf-8")))]


def paths(document: Path) -> list[tuple[str, str]]:
    """(path, name) of every backticked repository path; the name is what follows a colon, else empty."""
    found = []
    for text in quoted(document):
        match = PATH.fullmatch(text)
        if match:
            path, _, name = text.partition(":")
            found.append((path, name))
    return found


def spelled(path: str) -> list[str]:
    """`a/{b,c}.md` as its two paths, `<year>` as a star."""
    path = re.sub(r"<[^>]*>", "*", path).replace("…", "*")
    braces = re.search(r"\{([^}]*)\}", path)
    if braces is None:
        return [path]
    return [each for one in braces[1].split(",") for each in spelled(path.replace(braces[0], one, 1))]


def names_in(path: Path) -> set[str]:
    """Every function and class of a file, methods as Class.method; of a script the functions it creates."""
    text = path.read_text("utf-8")
    if path.suffix == ".sql":
        return set(re.findall(r"CREATE OR REPLACE FUNCTION (\w+)", text))
    found: set[str] = set()

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + child.name)
                walk(child, "")
            elif isinstance(child, ast.ClassDef):
                found.add(child.name)
                walk(child, f"{child.name}.")
            elif isinstance(child, ast.Assign | ast.AnnAssign):
                targets = child.targets if isinstance(child, ast.Assign) else [child.target]
                found.update(prefix + target.id for target in targets if isinstance(target, ast.Name))
            else:
                walk(child, prefix)

    walk(ast.parse(text), "")
    return found


@NAMED
def test_every_path_that_is_named_exists(document: Path) -> None:
    missing = [
        path for path, _ in paths(document) for each in spelled(path) if not list(ROOT.glob(each.rstrip("/") or each))
    ]
    assert missing == []


@NAMED
def test_every_function_that_is_named_exists(document: Path) -> None:
    missing = [
        f"{path}:{name}"
        for path, name in paths(document)
        if name and not (ROOT.joinpath(path).is_file() and name in names_in(ROOT / path))
    ]
    assert missing == []


@NAMED
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = [target for target in LINK.findall(FENCE.sub("", document.read_text("utf-8"))) if "://" not in target]
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_both_readmes_name_the_same_files_and_commands() -> None:
    english, chinese = ROOT / "README.md", ROOT / "README.zh-CN.md"
    assert sorted(quoted(english)) == sorted(quoted(chinese))
    assert FENCE.findall(english.read_text("utf-8")) == FENCE.findall(chinese.read_text("utf-8"))
    assert len(re.findall(r"^#+ ", english.read_text("utf-8"), re.M)) == len(
        re.findall(r"^#+ ", chinese.read_text("utf-8"), re.M)
    )


def test_the_page_that_follows_a_bid_names_a_function_at_every_step() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8").split("One bid, from disk to verdict", 1)[1]
    steps = re.findall(r"^\d+\. .*?(?=^\d+\. |^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert len(steps) >= 12
    assert [step.split("\n")[0] for step in steps if not re.search(r"`[\w/]+\.py:[\w.]+`", step)] == []


def test_what_the_contract_calls_not_yet_is_what_is_missing() -> None:
    contract = (ROOT / "docs" / "contract.md").read_text("utf-8").split("```")[1]
    said = {"make": (set[str](), set[str]()), "tradehall": (set[str](), set[str]())}
    for line in contract.splitlines():
        program, _, rest = line.partition(" ")
        if program in said:
            names = rest.split("(not yet)")[0].split("  ")[0]
            verbs = names.split(" | ") if program == "make" else re.findall(r"(?:^|\| )([\w-]+)", names)
            said[program]["(not yet)" in rest].update(verb.strip() for verb in verbs)
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)) - {"lock"}
    commands = set(re.findall(r'add_parser\(\s*"(\w+)"', (ROOT / "portal" / "commands.py").read_text("utf-8")))
    commands |= processes.NAMES
    assert said["make"][0] == targets and not said["make"][1] & targets
    assert said["tradehall"][0] - {"advance", "replay"} == commands and not said["tradehall"][1] & commands


def test_every_section_of_a_document_that_code_cites_exists() -> None:
    """`docs/spec/release.md §3` in a docstring or comment: the file is there and has a heading of that number."""
    wrong = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text("utf-8")
            for name, section in re.findall(r"(docs/[\w/-]+\.md)(?:,? §(\d+))?", text):
                document = ROOT / name
                headings = document.read_text("utf-8") if document.exists() else ""
                if not headings or (section and not re.search(rf"^#+ {section}\.", headings, re.MULTILINE)):
                    wrong.append(f"{path.relative_to(ROOT)}: {name} §{section}")
    assert wrong == []
