"""The scripts of a page, compared with the list that the hall's own log pins: `tradehall-verify --page URL`.

docs/spec/bundle.md §8. A page is good when all of this holds:
- it runs nothing but files: no inline script, no handler in an attribute, no `javascript:` address, no base, no frame;
- every script, preloaded module and whatever these import comes from the page's own address, stands in /release.json
  with its SHA-256, and has the `integrity` that the page names;
- the act that pins the list stands in the log of trust.json under a quorum of witnesses, signed by the hall's duty key.

What this proves is what the hall served to this program, now. A hall that serves one person another script is found out
by that person's browser (`integrity`), or by whoever runs this from that person's place.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final

from crypto import jcs, signing
from crypto.ledger import receipt
from crypto.ledger.whole_log import Logged
from crypto.opening import certified
from crypto.refusal import Refused
from crypto.trust import Trust

LIST, PROOF = "/release.json", "/release.proof"
KIND: Final = "scripts"
BYTES_MAX: Final = 16 * 1024**2
SCRIPTS_MAX: Final = 500
RECEIPTS_MAX: Final = 64
TIMEOUT_S: Final = 20

_INERT = frozenset({"application/json", "application/ld+json", "text/plain", "text/template"})
_FRAMES = frozenset({"iframe", "frame", "object", "embed", "applet", "portal"})
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "xlink:href", "data"})
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}
# What modules name in plain text: imports, re-exports, workers. A computed import in a listed script is that script's.
_SCRIPT_ADDRESS = re.compile(r"[\x00-\x20]*" + r"\s*".join("javascript:"), re.IGNORECASE)
_IMPORTS = re.compile(
    r"""(?:\bimport\b|\bexport\b)[^"'`;()]*?\bfrom\s*["']([^"'\n]+)["']"""
    r"""|\bimport\s*\(?\s*["']([^"'\n]+)["']"""
    r"""|\bnew\s+URL\(\s*["']([^"'\n]+)["']\s*,\s*import\.meta\.url"""
    r"""|\bnew\s+(?:Shared)?Worker\(\s*["']([^"'\n]+)["']"""
    r"""|\bimportScripts\(\s*["']([^"'\n]+)["']"""
)

Sentence = tuple[str, str]


@dataclass(slots=True)
class Told:
    """What was found, in Chinese and English, and how often something differed."""

    lines: list[Sentence] = field(default_factory=list)
    wrong: int = 0

    def same(self, zh: str, en: str) -> None:
        self.lines.append((f"相符 {zh}", f"same {en}"))

    def differs(self, zh: str, en: str) -> None:
        self.wrong += 1
        self.lines.append((f"不符 {zh}", f"DIFFERENT {en}"))


def check(url: str, trust: Trust | None) -> tuple[int, list[Sentence]]:
    """(exit code, sentences zh and en) of a page. 0: everything the same and pinned by the log of `trust`; 1: something
    differs, or no anchors were given. Raises OSError (urllib's errors are) when the page does not answer."""
    told = Told()
    page, url = _fetch(url, page=True)
    listed = _listed(url, told, trust)
    found = _scan(page, told)
    _compare(url, found.scripts, listed, told)
    told.lines.append((f"脚本不符 {told.wrong} 处", f"{told.wrong} differences"))
    return (1 if told.wrong else 0), told.lines


def _listed(url: str, told: Told, trust: Trust | None) -> dict[str, str]:
    """The list of the hall, as far as it is one, and whether the log pins it."""
    try:
        data, _ = _fetch(urllib.parse.urljoin(url, LIST))
        value = jcs.loads(data)
        listed = value["scripts"]
        right = value["v"] == 1 and isinstance(value["version"], str) and isinstance(listed, dict)
        if not right or not all(isinstance(each, str) for each in listed.values()):
            raise ValueError("fields")
    except urllib.error.HTTPError as error:
        told.differs(f"{LIST}：HTTP {error.code}", f"{LIST}: HTTP {error.code}")
        return {}
    except (Refused, KeyError, TypeError, ValueError):
        told.differs(f"{LIST} 不是脚本清单", f"{LIST} is no list of scripts")
        return {}
    digest = hashlib.sha256(data).hexdigest()
    if trust is None:
        told.differs(
            "没有信任锚（--trust），脚本清单未与账本核对", "no anchors (--trust): the list was not held to any log"
        )
        return dict(listed)
    try:
        act = pinned(_receipts(url), trust, digest)
        told.same(
            f"{LIST} {digest[:16]}… 载于账本（{act['at']}，版本 {act['version']}）",
            f"{LIST} {digest[:16]}… stands in the log ({act['at']}, version {act['version']})",
        )
    except Refused as refused:
        told.differs(f"{LIST} 未被账本证明：{refused.code}", f"{LIST} is not proved by the log: {refused.code}")
    return dict(listed)


def pinned(receipts: list[bytes], trust: Trust, digest: str) -> dict[str, Any]:
    """The `scripts` act that names this SHA-256 of the list: in a tree that a quorum cosigned, signed by a duty key
    that the centre's root certified. Raises Refused: release_not_in_log, and what receipts, quorums and keys refuse."""
    logged: list[Logged] = []
    for data in receipts:
        proved = receipt.verify(data, trust)
        if proved.grade != "B":
            raise Refused("quorum", cosigned=len(proved.cosigned), quorum=trust.quorum)
        act = proved.event.get("act")
        if act is not None:
            logged.append(Logged(proved.index, proved.leaf_hash, act))
    logged.sort(key=lambda each: each.index)
    hall = certified.read(logged, trust)
    for each in logged:
        if each.kind != KIND or each.act.get("release") != digest:
            continue
        for signer in signing.verify_act(each.act):
            hall.certified("duty", signer.key)
        return dict(each.act)
    raise Refused("release_not_in_log", release=digest)


def _receipts(url: str) -> list[bytes]:
    try:
        data, _ = _fetch(urllib.parse.urljoin(url, PROOF))
        rows = json.loads(data)["receipts"]
        if not isinstance(rows, list) or len(rows) > RECEIPTS_MAX:
            raise TypeError("receipts")
        return [row.encode() for row in rows]
    except (urllib.error.HTTPError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Refused("release_not_in_log", release=PROOF) from error


def _compare(url: str, scripts: list[tuple[str, str]], listed: dict[str, str], told: Told) -> None:
    """Every script of the page, then whatever they import, each once."""
    origin = urllib.parse.urlsplit(url)[:2]
    waiting = [(urllib.parse.urljoin(url, source), integrity) for source, integrity in scripts]
    seen: set[str] = set()
    while waiting:
        address, integrity = waiting.pop(0)
        parts = urllib.parse.urlsplit(address)
        if address in seen and not integrity:
            continue
        if parts[:2] != origin or parts.query:
            told.differs(f"{address}：不在本站，或带有参数", f"{address}: from elsewhere, or with a query")
            continue
        if len(seen) >= SCRIPTS_MAX:
            told.differs("脚本过多", "too many scripts")
            return
        body = _script(address, told)
        if body is None:
            continue
        if listed.get(parts.path) != hashlib.sha256(body).hexdigest():
            told.differs(f"{parts.path}：与清单不同", f"{parts.path}: not as listed")
        elif integrity and not _fits(integrity, body):
            told.differs(f"{parts.path}：integrity 不对", f"{parts.path}: another integrity")
        elif address not in seen:
            told.same(parts.path, parts.path)
        if address not in seen:
            found = _IMPORTS.findall(body.decode("utf-8", "replace"))
            waiting += [(urllib.parse.urljoin(address, next(filter(None, each))), "") for each in found]
        seen.add(address)


def _script(address: str, told: Told) -> bytes | None:
    try:
        return _fetch(address)[0]
    except urllib.error.HTTPError as error:
        told.differs(f"{address}：HTTP {error.code}", f"{address}: HTTP {error.code}")
        return None


def _fits(integrity: str, body: bytes) -> bool:
    """Every hash that the page names is the script's: a browser takes any of the strongest, this asks for all."""
    for each in integrity.split():
        name, _, value = each.partition("-")
        if name not in _HASHES or base64.b64encode(_HASHES[name](body).digest()).decode() != value:
            return False
    return True


def _scan(page: bytes, told: Told) -> _Scan:
    """What the page names. A page that a browser could read otherwise than this program is not good."""
    found = _Scan()
    try:
        text = page.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    found.feed(text)
    found.close()
    for zh, en in found.forbidden:
        told.differs(zh, en)
    # Tags inside comments, raw texts or broken markup are where two readers part: a page of ours has none.
    if not text or "\0" in text or len(re.findall(r"<[a-zA-Z]", text)) != found.tags:
        told.differs("页面可作两种解读", "the page can be read in two ways")
    return found


class _Scan(HTMLParser):
    """The scripts of a page as (address, integrity), and what a page of sealing must not have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.scripts: list[tuple[str, str]] = []
        self.forbidden: list[Sentence] = []
        self.tags = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1
        # Of an attribute that stands twice a browser takes the first.
        named = {name: value or "" for name, value in reversed(attrs)}
        for name, value in attrs:
            if name.startswith("on"):
                self.forbidden.append((f"<{tag} {name}>：页面内的脚本", f"<{tag} {name}>: a script in the page"))
            if name in _ADDRESSES and _SCRIPT_ADDRESS.match(value or ""):
                self.forbidden.append((f"<{tag} {name}>：脚本地址", f"<{tag} {name}>: an address that is a script"))
        if tag in _FRAMES or "srcdoc" in named:
            self.forbidden.append((f"<{tag}>：页中页", f"<{tag}>: a page in the page"))
        elif tag == "base":
            self.forbidden.append(("<base>：改变所有地址", "<base>: changes all addresses"))
        elif tag == "meta" and named.get("http-equiv", "").lower() == "refresh":
            self.forbidden.append(("<meta refresh>：转到别页", "<meta refresh>: leads to another page"))
        elif tag == "script" and named.get("type", "").strip().lower() not in _INERT:
            source = named.get("src") or named.get("href") or named.get("xlink:href") or ""
            if source:
                self.scripts.append((source, self._integrity(source, named)))
            else:
                self.forbidden.append(("内联脚本", "an inline script"))
        elif tag == "link" and "modulepreload" in named.get("rel", "").lower().split():
            self.scripts.append((named.get("href", ""), self._integrity(named.get("href", ""), named)))

    handle_startendtag = handle_starttag

    def _integrity(self, source: str, named: dict[str, str]) -> str:
        if not named.get("integrity", "").strip():
            self.forbidden.append((f"{source}：没有 integrity", f"{source}: no integrity"))
        return named.get("integrity", "")


def _fetch(url: str, *, page: bool = False) -> tuple[bytes, str]:
    """What an address answers, and the address it came from in the end; a `page` must say that it is UTF-8. Raises
    OSError."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise urllib.error.URLError("only http and https")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            data: bytes = answer.read(BYTES_MAX + 1)
            last: str = answer.geturl()
            if page and (answer.headers.get_content_charset() or "").lower() not in ("utf-8", "utf8"):
                data = b""
    except http.client.HTTPException as error:
        raise urllib.error.URLError(str(error)) from error
    if len(data) > BYTES_MAX:
        raise urllib.error.URLError("too large")
    return data, last
