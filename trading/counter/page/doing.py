"""Doing an act from a page: the same verb that the API runs, with the person's signature as a step of its own.

An act that a person must sign comes back first as the act to be signed. The page shows it in words and in full; the
person signs it with the key in this browser (script), or saves it, signs it with `tradehall-bidder sign` and hands the
signed file in (no script needed). Either way the same form is posted again with `signed`. Every form carries `once`,
so that a double click, the back button or a second tab has one effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import MediaType, Response, post
from litestar.handlers import BaseRouteHandler

from crypto.refusal import Refused
from trading.counter import strict, verbs
from trading.counter.page import act_words, forms, language, terms
from trading.counter.page.act_words import Told
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor, csrf
from trading.counter.verbs import Verb

_STEP = (
    Field("verb", "", "", "hidden"),
    Field("command", "", "", "hidden", max=strict.BODY_BYTES_MAX),
    Field("then", "", "", "hidden"),
    Field("zh", "", "", "hidden", required=False),
    Field("en", "", "", "hidden", required=False),
    Field("once", "", "", "hidden"),
    Field("signed", "已签名的文书", "Signed act", "area", required=False, max=strict.BODY_BYTES_MAX),
    Field("signed_file", "已签名的文书(文件)", "Signed act (file)", "file", required=False),
)


async def check_csrf(request: Requested, visitor: Visitor) -> None:
    """Raise Refused("form_not_ours") unless the posted form was made by a page of this session."""
    posted = await request.form()
    if posted.get("csrf") != csrf(visitor.token):
        raise Refused("form_not_ours")


async def act(
    pages: Pages,
    request: Requested,
    visitor: Visitor,
    verb: Verb,
    fields: Mapping[str, Any],
    *,
    then: str,
    zh: str = "已完成。",
    en: str = "Done.",
) -> Response[str]:
    """Run a verb for a visitor: lead to `then` with a word (`zh`, `en`), or show the act that is to be signed first.

    `then` may hold `{name}` of the outcome's result. Raises Refused: form_not_ours, and what the command refuses;
    the caller shows it in its form (`Filled.refused`), nothing typed is lost.
    """
    await check_csrf(request, visitor)
    once = str((await request.form()).get("once") or "")
    return await _run(pages, request, visitor, verb, fields, then=then, zh=zh, en=en, once=once)


async def _run(
    pages: Pages,
    request: Requested,
    visitor: Visitor,
    verb: Verb,
    fields: Mapping[str, Any],
    *,
    then: str,
    zh: str,
    en: str,
    once: str,
) -> Response[str]:
    try:
        command = msgspec.convert(dict(fields), verb.command)
    except msgspec.ValidationError as error:
        raise Refused("body_malformed", why=str(error)) from error
    answer, _ = await verbs.perform(
        pages.service, verb, command, actor=visitor.actor, bearer=visitor.token, key=once or None
    )
    if answer.get("sign") is not None:
        return pages.show(
            request,
            "sign.html",
            visitor=visitor,
            act=json.dumps(answer["sign"], ensure_ascii=False, indent=1),
            told=_told(request, answer["sign"], fields),
            step={"verb": verb.path, "command": json.dumps(dict(fields)), "then": then, "zh": zh, "en": en},
            filled=forms.blank(_STEP),
            answer=f"/{pages.door}/signed",
        )
    receipt = answer.get("receipt") or {}
    number = {"leaf": receipt["index"]} if "index" in receipt else {}
    found = {**(answer.get("result") or {}), **number}
    if number:
        zh, en = f"{zh} 已记入账本,第 {number['leaf']} 号。", f"{en} It is in the ledger as leaf {number['leaf']}."
    return pages.go(request, then.format_map(found), zh=zh, en=en)


def signing(pages: Pages, offered: Sequence[Verb]) -> list[BaseRouteHandler]:
    """The two handlers of a door whose visitors sign: take a signed act, and give the act as a file."""
    by_path = {verb.path: verb for verb in offered}

    @post(f"/{pages.door}/signed", status_code=200)
    async def signed(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await check_csrf(request, visitor)
        filled = await forms.read(request, _STEP)
        verb = by_path.get(str(filled.values.get("verb")))
        if verb is None or filled.errors:
            raise Refused("form_not_ours")
        fields = strict.parse(str(filled.values["command"]).encode())
        step = {name: filled.typed.get(name, "") for name in ("verb", "command", "then", "zh", "en")}
        given = filled.values.get("signed_file")
        text = given.data if isinstance(given, Upload) else str(filled.values.get("signed") or "").encode()
        answer = f"/{pages.door}/signed"
        try:
            if not text:
                raise Refused("signature_missing")
            act_signed = strict.parse(text)
            return await _run(
                pages,
                request,
                visitor,
                verb,
                {**fields, "signed": act_signed},
                then=step["then"],
                zh=step["zh"],
                en=step["en"],
                once=str(filled.values["once"]),
            )
        except Refused as refused:
            told: Filled = forms.blank(_STEP).refused(pages.told(refused), refused.rule)
            plain = str((await request.form()).get("act") or "")
            return pages.show(
                request,
                "sign.html",
                visitor=visitor,
                status=422,
                filled=told,
                act=plain,
                told=_told_again(request, plain, fields),
                step=step,
                answer=answer,
            )

    @post(f"/{pages.door}/act.json", status_code=200)
    async def act_file(request: Requested) -> Response[bytes]:
        visitor = await pages.visitor(request)
        await check_csrf(request, visitor)
        text = str((await request.form()).get("act") or "")
        strict.parse(text.encode())
        named = {"content-disposition": 'attachment; filename="act.json"', "x-content-type-options": "nosniff"}
        return Response(text.encode(), media_type=MediaType.JSON, headers=named)

    return [signed, act_file]


def _told(request: Requested, act: Mapping[str, Any], fields: Mapping[str, Any]) -> Told:
    kind = terms.act(str(act.get("kind", "")))
    return act_words.tell(act, fields, language.of(request.scope), kind=kind)


def _told_again(request: Requested, plain: str, fields: Mapping[str, Any]) -> Told | None:
    """The words of an act that came back with the form; None where somebody changed it into no act at all: then only
    the full text is shown, and the verb refuses it."""
    try:
        return _told(request, strict.parse(plain.encode()), fields)
    except (Refused, KeyError, TypeError, ValueError, AttributeError):
        return None
