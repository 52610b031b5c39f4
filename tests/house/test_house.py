"""The house: names nobody else takes, one clock, words for every refusal, no addresses, files one can read."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from crypto import words

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("crypto", "storage", "trading", "bidding", "experts", "supervision", "portal")
CLOCKS = {"storage/world.py", "bidding/client/world.py"}
CLOCK_CALLS = re.compile(
    r"datetime\.(now|utcnow|today)\(|time\.time\(|date\.today\(|os\.urandom|\bsecrets\.(token_|choice|randbelow|SystemRandom)|\brandom\.(random|choice|shuffle|sample|randrange)"
)
LINES_MAX = 400
AMOUNT = re.compile(r"[零壹贰叁肆伍陆柒捌玖拾佰仟万亿元角分整]+")


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def tracked() -> list[Path]:
    """Files under version control; outside a checkout with git, everything that is not built."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        names = [name for name in listed.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        skip = {".venv", "build", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and not skip & set(p.parts)]
    return [ROOT / name for name in names]


def test_no_dependency_installs_a_package_with_one_of_our_names() -> None:
    ours = set(ROOMS)
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name == "tradehall":
            continue
        tops = {str(file).split("/", 1)[0] for file in distribution.files or () if "/" in str(file)}
        assert not tops & ours, f"{name} installs {tops & ours}"


def test_every_package_is_listed_for_installation() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    present = {
        ".".join(init.parent.relative_to(ROOT).parts) for room in ROOMS for init in (ROOT / room).rglob("__init__.py")
    }
    assert present == listed


def test_only_the_two_worlds_read_a_clock_or_random_numbers() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in CLOCKS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if CLOCK_CALLS.search(line.split("#")[0])
    ]
    assert guilty == []


def test_every_module_says_in_its_first_line_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_refusal_has_words_in_both_languages(room: str) -> None:
    # The command lines of bidders and trustees have a table of their own: they are installed without the hall.
    table = words.load(*ROOMS, "bidding.client")
    missing = sorted(
        f"{path.name}: {node.args[0].value}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Refused"
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and node.args[0].value not in table
    )
    assert missing == []
    others = {code for other in ROOMS if other != room for code in words.load(other)}
    assert sorted(set(words.load(room)) & others) == [], "a code has its words in one room"
    for code, sentence in table.items():
        assert re.search(r"[\u4e00-\u9fff]", sentence.zh), code
        assert sentence.en and not re.search(r"[\u4e00-\u9fff]", AMOUNT.sub("", sentence.en)), code


def test_no_file_asks_to_be_split() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for path in sources()
        if (count := len(path.read_text().splitlines())) > LINES_MAX
    ]
    assert long == []


def test_no_tracked_file_names_a_package_index() -> None:
    options = (b"index" + b"-url", b"extra-index" + b"-url", b"find" + b"-links")
    places = (b"simple" + b"/", rb"[^\s]+\.whl", rb"[^\s]+\.tar\.gz")
    forbidden = re.compile(
        b"|".join([*(b"--" + option for option in options), *(rb"https?:/" + rb"/\S+/" + place for place in places)])
    )
    assert forbidden.search(b"--index" + b"-url x") and forbidden.search(b"https:/" + b"/a.example/simple" + b"/")
    guilty = [str(p.relative_to(ROOT)) for p in tracked() if p.is_file() and forbidden.search(p.read_bytes())]
    assert guilty == []
