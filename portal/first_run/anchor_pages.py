"""The pages of what goes into trust.json: authorities, roots and certificates, witnesses, and the two confirmations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from litestar import MediaType, Response, get, post
from msgspec import structs

from crypto import trust
from crypto.refusal import Refused
from portal.first_run import anchors
from portal.first_run import book as books
from portal.first_run.book import SIDES, Book, Side
from portal.first_run.desk import WHO, FirstRun
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested

OPEN_SECONDS_MAX = 60.0
AUTHORITY = (
    Field("file", "证书文件(PEM,可含多张)", "Certificates (PEM, one or more)", "file", accept=".pem,.crt,.cer"),
)
ROOT = (Field("card", "根的登记卡(root.json)", "The root's card (root.json)", "file", accept=".json"),)
CERTIFICATE = (
    Field(
        "certificate", "本单位签名证书(PEM 或 DER)", "Your organisation's signing certificate (PEM or DER)", "file",
        accept=".pem,.crt,.cer,.der",
    ),
)  # fmt: skip
GROUPS = (
    ("operation", "运行方", "operation"),
    ("supervision", "监督方", "supervision"),
    ("independent", "独立方", "independent"),
)
WITNESS = (
    Field("group", "属于", "Side", "choice", choices=GROUPS),
    Field("key", "见证人公钥", "The witness's key", max=200),
)
CONFIRM = (
    Field("digest", "", "", "hidden"),
    Field("password", "您的密码", "Your password", "password"),
)
Steps = Callable[[FirstRun], Sequence[Any]]


def waits(first: FirstRun) -> Sequence[Side]:
    """Who has still to confirm the anchors; nobody while they cannot be made."""
    try:
        return first.waits_for("anchors", first.trust()[1])
    except Refused:
        return ()


def routes(first: FirstRun, pages: Pages, steps: Steps) -> list[Any]:
    """The handlers."""

    def show(request: Requested, template: str, *, status: int = 200, **facts: Any) -> Response[str]:
        side, visitor = first.visitor(request)
        return pages.show(
            request, template, visitor=visitor, status=status, side=side, first=first, steps=steps(first), **facts
        )

    async def posted(request: Requested, fields: Sequence[Field]) -> tuple[Side, Filled]:
        side, visitor = first.visitor(request)
        await doing.check_csrf(request, visitor)
        return side, await forms.read(request, fields)

    def refused_by(filled: Filled, refused: Refused) -> Filled:
        return filled.refused(pages.told(refused), refused.rule)

    @get("/first-run/authorities")
    async def authorities(request: Requested) -> Response[str]:
        return _authorities(request, forms.blank(AUTHORITY))

    @post("/first-run/authorities", status_code=200)
    async def add_authorities(request: Requested) -> Response[str]:
        side, filled = await posted(request, AUTHORITY)
        given = filled.values.get("file")
        if filled.ok and isinstance(given, Upload):
            taken, wrong = anchors.authorities(given.data, first.book.ca_roots, now=first.world.now())
            if not wrong:
                try:
                    first.change(
                        side,
                        lambda book: structs.replace(book, ca_roots=[*book.ca_roots, *taken]),
                        zh=f"加入了 {len(taken)} 张证书机构证书。",
                        en=f"added {len(taken)} certificates of authorities.",
                    )
                    return pages.go(request, "/first-run/authorities", zh="已加入。", en="Added.")
                except Refused as refused:
                    wrong = [refused]
            for each in wrong:
                filled = refused_by(filled, each)
        return _authorities(request, filled, status=422)

    @post("/first-run/authorities/remove", status_code=200)
    async def remove_authority(request: Requested) -> Response[str]:
        side, _ = await posted(request, ())
        gone = str((await request.form()).get("fingerprint") or "")
        first.change(
            side,
            lambda book: structs.replace(
                book, ca_roots=[one for one in book.ca_roots if anchors.shown(one).fingerprint != gone]
            ),
            zh="移除了一张证书机构证书。",
            en="took out a certificate of an authority.",
        )
        return pages.go(request, "/first-run/authorities", zh="已移除。", en="Taken out.")

    def _authorities(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        held = [anchors.shown(one) for one in first.book.ca_roots]
        return show(request, "first_run_authorities.html", status=status, filled=filled, held=held)

    @get("/first-run/roots")
    async def roots(request: Requested) -> Response[str]:
        return _roots(request, forms.blank(ROOT), forms.blank(CERTIFICATE))

    @post("/first-run/roots", status_code=200)
    async def add_root(request: Requested) -> Response[str]:
        side, filled = await posted(request, ROOT)
        given = filled.values.get("card")
        if filled.ok and isinstance(given, Upload):
            try:
                key = anchors.read_root_card(given.data, side)
                if key in _keys(first.book, but=side):
                    raise Refused("trust_keys_repeated")
                zh, en = "登记了本方的根。", "brought its root."
                first.change(side, lambda book: books.with_side(book, side, root=key), zh=zh, en=en)
                return pages.go(request, "/first-run/roots", zh="根已登记。", en="The root is entered.")
            except Refused as refused:
                filled = refused_by(filled, refused)
        return _roots(request, filled, forms.blank(CERTIFICATE), status=422)

    @post("/first-run/certificate", status_code=200)
    async def add_certificate(request: Requested) -> Response[str]:
        side, filled = await posted(request, CERTIFICATE)
        given = filled.values.get("certificate")
        if filled.ok and isinstance(given, Upload):
            try:
                who = first.book.administrator(side)
                pem = anchors.own_certificate(given.data, who, first.book.ca_roots, now=first.world.now())
                zh, en = "登记了本单位的签名证书。", "brought its organisation's signing certificate."
                first.change(side, lambda book: books.with_side(book, side, certificate=pem), zh=zh, en=en)
                return pages.go(request, "/first-run/roots", zh="证书已登记。", en="The certificate is entered.")
            except Refused as refused:
                filled = refused_by(filled, refused)
        return _roots(request, forms.blank(ROOT), filled, status=422)

    def _roots(request: Requested, root: Filled, certificate: Filled, *, status: int = 200) -> Response[str]:
        held = {side: first.book.side(side) for side in SIDES}
        shown = {side: anchors.shown(one.certificate) for side, one in held.items() if one.certificate}
        return show(
            request,
            "first_run_roots.html",
            status=status,
            root=root,
            certificate=certificate,
            held=held,
            shown=shown,
            sides={
                "centre": ("交易中心一方", "The centre's side"),
                "supervision": ("监督一方", "The supervision's side"),
            },
        )

    @get("/first-run/witnesses")
    async def witnesses(request: Requested) -> Response[str]:
        return _witnesses(request, forms.blank(WITNESS))

    @post("/first-run/witnesses", status_code=200)
    async def add_witness(request: Requested) -> Response[str]:
        side, filled = await posted(request, WITNESS)
        if filled.ok:
            try:
                text, group = filled.values["key"], filled.values["group"]
                one = anchors.witness(text, group, book=first.book, by=side)
                if anchors.public_of(one).hex() in _keys(first.book):
                    raise Refused("trust_keys_repeated")
                first.change(
                    side,
                    lambda book: structs.replace(book, witnesses=[*book.witnesses, one]),
                    zh=f"登记了见证人 {one.name}。",
                    en=f"brought the witness {one.name}.",
                )
                return pages.go(request, "/first-run/witnesses", zh="见证人已登记。", en="The witness is entered.")
            except Refused as refused:
                filled = refused_by(filled, refused)
        return _witnesses(request, filled, status=422)

    @post("/first-run/witnesses/remove", status_code=200)
    async def remove_witness(request: Requested) -> Response[str]:
        side, _ = await posted(request, ())
        gone = str((await request.form()).get("name") or "")
        found = next((one for one in first.book.witnesses if one.name == gone), None)
        if found is not None and found.by != side:
            raise Refused("first_run_other_side")
        first.change(
            side,
            lambda book: structs.replace(book, witnesses=[one for one in book.witnesses if one.name != gone]),
            zh="移除了一名见证人。",
            en="took out a witness.",
        )
        return pages.go(request, "/first-run/witnesses", zh="已移除。", en="Taken out.")

    def _witnesses(request: Requested, filled: Filled, *, status: int = 200) -> Response[str]:
        groups = {value: (zh, en) for value, zh, en in GROUPS}
        return show(request, "first_run_witnesses.html", status=status, filled=filled, groups=groups)

    @get("/first-run/anchors")
    async def confirmation(request: Requested) -> Response[str]:
        return _anchors(request, None)

    @post("/first-run/anchors", status_code=200)
    async def confirm(request: Requested) -> Response[str]:
        side, filled = await posted(request, CONFIRM)
        if filled.ok:
            try:
                await first.check_password(side, filled.values["password"])
                if first.confirm_anchors(side, filled.values["digest"]):
                    await asyncio.wait_for(first.opened.wait(), OPEN_SECONDS_MAX)
                    return pages.go(
                        request,
                        "/first-run/trustees",
                        zh="双方已确认,大厅已在该信任锚下启动。",
                        en="Both have confirmed; the hall runs under these anchors now.",
                    )
                return pages.go(request, "/first-run/anchors", zh="您已确认。", en="You have confirmed.")
            except Refused as refused:
                filled = refused_by(filled, refused)
        return _anchors(request, filled, status=422)

    def _anchors(request: Requested, filled: Filled | None, *, status: int = 200) -> Response[str]:
        data, digest, told, problem = b"", "", None, None
        try:
            data, digest = first.trust()
            told = trust.load(data)
        except Refused as refused:
            problem = pages.told(refused)
        given = filled.wrong if filled else ()
        errors = filled.errors if filled else {}
        blank = forms.blank(CONFIRM, {"digest": digest})
        return show(
            request,
            "first_run_anchors.html",
            status=status,
            filled=Filled(blank.fields, blank.typed, blank.values, errors, given),
            told=told,
            text=data.decode(),
            digest=digest,
            problem=problem,
            lacks=first.lacking(),
            waits=first.waits_for("anchors", digest) if told else [],
            who=WHO,
            region=books.region_name(first.book.region) if first.book.region else "",
        )

    @get("/first-run/trust.json")
    async def trust_file(request: Requested) -> Response[bytes]:
        first.visitor(request)
        data, _ = first.trust()
        named = {"content-disposition": 'attachment; filename="trust.json"', "x-content-type-options": "nosniff"}
        return Response(data, media_type=MediaType.JSON, headers=named)

    return [
        authorities, add_authorities, remove_authority, roots, add_root, add_certificate, witnesses, add_witness,
        remove_witness, confirmation, confirm, trust_file,
    ]  # fmt: skip


def _keys(book: Book, *, but: Side | None = None) -> set[str]:
    """Every key (hex) that stands in the book already, one side's root left out."""
    roots = {book.side(side).root for side in SIDES if side != but}
    return (roots | {anchors.public_of(one).hex() for one in book.witnesses}) - {""}
