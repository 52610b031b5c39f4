"""The signing keys of one's organisation: made in this browser, brought from elsewhere, listed, ended."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from litestar import Response, get, post
from litestar.params import FromPath

from crypto.refusal import Refused
from storage.unit import Unit
from trading.account.own import own
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.people import keys
from trading.roles import MATRIX, Permission
from trading.verbs import KEYS

VERBS = {verb.permission: verb for verb in KEYS}
BRING = (
    Field("label", "名称(便于辨认)", "Name (to tell it from others)", max=keys.LABEL_CHARACTERS_MAX),
    Field(
        "request", "证书请求文件(PKCS#10)", "Certificate request (PKCS#10 file)", "file", accept=".csr,.p10,.pem,.der"
    ),
    Field(
        "certificate",
        "证书文件(持牌机构签发)",
        "Certificate (issued by a licensed authority)",
        "file",
        required=False,
        accept=".cer,.crt,.pem,.der",
        hint=("演练中可不填,由演练机构签发。", "In a rehearsal leave it empty: the rehearsal's authority issues one."),
    ),
)


def routes(pages: Pages) -> list[Any]:
    """The handlers of the keys' page."""
    database, hall = pages.service.database, pages.service.hall

    @get("/account/{door:str}/keys")
    async def listed(request: Requested, door: FromPath[str]) -> Response[str]:
        return await _show(request, await own(pages, request, door), forms.blank(BRING))

    @post("/account/{door:str}/keys/bring", status_code=200)
    async def bring(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        filled = await forms.read(request, BRING)
        if filled.ok:
            try:
                fields = {"label": filled.values["label"], "request": _request(filled.values["request"])}
                given = filled.values.get("certificate")
                if given is not None:
                    fields["certificate"] = _certificate(given)
                verb = VERBS[Permission.CERTIFICATE_ADD]
                then = f"/account/{door}/keys"
                zh, en = "签名密钥已登记。", "The signing key is registered."
                return await doing.act(pages, request, visitor, verb, fields, then=then, zh=zh, en=en)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, filled, status=422)

    @post("/account/{door:str}/keys/end", status_code=200)
    async def end(request: Requested, door: FromPath[str]) -> Response[str]:
        visitor = await own(pages, request, door)
        which = str((await request.form()).get("which") or "")
        try:
            verb, then = VERBS[Permission.CERTIFICATE_REVOKE], f"/account/{door}/keys"
            zh, en = "该密钥已停用,即刻起不能再签名。", "The key has ended; it signs nothing from now on."
            return await doing.act(pages, request, visitor, verb, {"spki": which}, then=then, zh=zh, en=en)
        except Refused as refused:
            filled = forms.blank(BRING).refused(pages.told(refused), refused.rule)
            return await _show(request, visitor, filled, status=422)

    async def _show(request: Requested, visitor: Visitor, filled: Filled, *, status: int = 200) -> Response[str]:
        async def look(unit: Unit) -> tuple[list[keys.Key], str]:
            row = await unit.organisation.read(visitor.actor.organisation)
            return await keys.listed(unit, visitor.actor.organisation), row["body"]["name"] if row else ""

        held, registered = await database.read(look, bearer=visitor.token)
        return pages.show(
            request, "keys.html", visitor=visitor, status=status, filled=filled, keys=held, registered=registered,
            may=Permission.CERTIFICATE_ADD in MATRIX[visitor.actor.role], issues=hall.authority is not None,
        )  # fmt: skip

    return [listed, bring, end]


def _request(given: Upload) -> str:
    try:
        if given.data.startswith(b"-----"):
            return base64.b64encode(x509.load_pem_x509_csr(given.data).public_bytes(Encoding.DER)).decode()
        return base64.b64encode(given.data).decode()
    except ValueError as error:
        raise Refused("certificate_request", request_bytes=len(given.data)) from error


def _certificate(given: Upload) -> str:
    try:
        if given.data.startswith(b"-----"):
            return base64.b64encode(x509.load_pem_x509_certificate(given.data).public_bytes(Encoding.DER)).decode()
        return base64.b64encode(given.data).decode()
    except ValueError as error:
        raise Refused("certificate", certificate_bytes=len(given.data)) from error
