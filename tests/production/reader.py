"""Somebody without a script: reads pages over TLS, fills in their forms and keeps their cookies, as the pages say."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from crypto import signing
from crypto.signing import Signer

VOID = frozenset({"input", "br", "img", "link", "meta", "hr"})
Files = Mapping[str, tuple[str, bytes]]


@dataclass
class Button:
    """A button of a form: what it says, and what it sends."""

    name: str = ""
    value: str = ""
    action: str = ""
    text: str = ""


@dataclass
class Form:
    """A form with what stands in its fields."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


class Page(HTMLParser):
    """A page as it was answered: its status, words, links and forms."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(convert_charrefs=True)
        self.answer, self.status, self.url = answer, answer.status_code, str(answer.url)
        self.text = answer.text if answer.headers.get("content-type", "").startswith("text/html") else ""
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.styles: list[tuple[str, str]] = []
        self._form: Form | None = None
        self._select: list[tuple[str, bool]] = []
        self._in: list[tuple[str, dict[str, str]]] = []
        self._said = ""
        self.feed(self.text)

    def form(self, button: str = "", *, to: str = "") -> Form:
        """The form with this button, or whose action has this part."""
        return next(
            form
            for form in self.forms
            if (to and to in form.action) or (button and any(button in one.text for one in form.buttons))
        )

    def link(self, words: str) -> str:
        """Where the link with these words leads."""
        return next(to for to, said in self.links if words in said)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(told.get("action", ""), told.get("method", "get"))
            self.forms.append(self._form)
        if tag == "link" and told.get("rel") == "stylesheet":
            self.styles.append((told["href"], told.get("integrity", "")))
        if tag == "input" and self._form is not None:
            plain = told.get("type", "text") not in ("checkbox", "radio", "file", "submit")
            if plain or "checked" in told:
                self._form.fields.append((told.get("name", ""), told.get("value", "on" if not plain else "")))
        if tag == "option":
            self._select.append((told.get("value", ""), "selected" in told))
        if tag in ("a", "button", "textarea", "select"):
            self._said = ""
            self._in.append((tag, told))

    def handle_data(self, data: str) -> None:
        self._said += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if not self._in or self._in[-1][0] != tag:
            return
        told, said = self._in.pop()[1], self._said
        if tag == "a":
            self.links.append((told.get("href", ""), said.strip()))
        elif self._form is None:
            return
        elif tag == "button" and told.get("type", "submit") == "submit":
            one = Button(told.get("name", ""), told.get("value", ""), told.get("formaction", ""), said.strip())
            self._form.buttons.append(one)
        elif tag == "textarea":
            self._form.fields.append((told.get("name", ""), said.removeprefix("\n")))
        elif tag == "select":
            chosen = next((value for value, on in self._select if on), self._select[0][0] if self._select else "")
            self._form.fields.append((told.get("name", ""), chosen))
            self._select.clear()


class Reader:
    """One browser at one entry of the hall; it follows where pages lead, as long as they stay at that entry."""

    def __init__(self, base: str, certificate: Path, *, headers: Mapping[str, str] | None = None) -> None:
        told = {"accept": "text/html", "user-agent": "Firefox/140.0 (X11; Linux)", **(headers or {})}
        trusted = ssl.create_default_context(cafile=str(certificate))
        self.base = base
        self.http = httpx.Client(base_url=base, verify=trusted, trust_env=False, timeout=120, headers=told)

    def open(self, path: str, *, status: int = 200) -> Page:
        """A page by its address. Asserts its status."""
        return self._page(self.http.get(path), status)

    def send(
        self,
        page: Page,
        button: str = "",
        *,
        to: str = "",
        files: Files | None = None,
        status: int = 200,
        **fields: str,
    ) -> Page:
        """Press a button of a page, with these fields filled in; asserts the status of what comes of it."""
        form = page.form(button, to=to)
        pressed = next((one for one in form.buttons if button and button in one.text), Button())
        filled = [(name, value) for name, value in form.fields if name and name not in fields]
        filled += list(fields.items())
        filled += [(pressed.name, pressed.value)] if pressed.name else []
        data: dict[str, Any] = {}
        for name, value in filled:
            data.setdefault(name, []).append(value)
        address = urljoin(page.url, pressed.action or form.action)
        headers = {"referer": page.url, "origin": self.base}
        given: Any = dict(files) if files else None
        return self._page(self.http.post(address, data=data, files=given, headers=headers), status)

    def sign(self, page: Page, signer: Signer, by: str) -> Page:
        """The step of signing, done elsewhere and handed in."""
        form = page.form(to="/signed")
        act = json.loads(dict(form.fields)["act"])
        return self.send(page, to="/signed", signed=json.dumps(signing.sign_act(act, signer=signer, by=by)))

    def sign_in(self, login: str, password: str, *, status: int = 200) -> Page:
        """Sign in at this entry."""
        return self.send(
            self.open("/account/sign-in"), to="/account/sign-in", login=login, password=password, status=status
        )

    def cookies(self) -> dict[str, str]:
        """Every cookie of this browser."""
        return {one.name: one.value or "" for one in self.http.cookies.jar}

    def _page(self, answer: httpx.Response, status: int) -> Page:
        for _ in range(8):
            to = urljoin(str(answer.url), answer.headers.get("location", ""))
            if answer.status_code not in (302, 303) or urlsplit(to)[:2] != urlsplit(self.base)[:2]:
                break
            answer = self.http.get(to)
        assert answer.status_code == status, (answer.status_code, str(answer.url), answer.text[:3000])
        return Page(answer)
