"""The desk of owners and agents: their tenders, from the first draft to the filed contract.

Wired together here: drafts (drafts/), a published tender (lot_pages.py, clarifying.py), its papers
(paper_pages.py). What belongs to rooms above this one, scoring for the preview and the draw, is handed in by the
portal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from markupsafe import Markup

from crypto.refusal import Refused
from storage.ports import In
from storage.unit import Unit
from trading import lifecycle, powers, rosters
from trading.counter.page import doing, language
from trading.counter.page.language import Lang
from trading.counter.page.pages import Pages, Requested
from trading.counter.verbs import Verb
from trading.desk import clarifying, lot_pages, notices, paper_pages, tasks
from trading.desk.drafts import checking, drafting
from trading.desk.drafts import pages as draft_pages
from trading.desk.drafts.samples import Preview
from trading.roles import Actor, Permission, Role
from trading.tender import Tender, from_json
from trading.verbs import DESK

TENDERS_MAX = 200
TEMPLATES = Path(__file__).parent / "templates"


def routes(pages: Pages, *, preview: Preview, draw: Sequence[Verb]) -> list[Any]:
    """The handlers of the desk. `draw` holds the verb of asking for a draw."""
    database, world = pages.service.database, pages.service.world
    verbs = {verb.permission: verb for verb in (*DESK, *draw) if verb.permission is not None}
    pages.environment.filters["marked"] = marked

    @get("/desk")
    async def home(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        now = world.now()

        async def mine(unit: Unit) -> dict[str, Any]:
            own = await tenders_of(unit, visitor.actor)
            lots = []
            for tender in own:
                book = await rosters.pinned_rulebook(unit, tender)
                state = lifecycle.at_instant(tender, now).state
                lots.append((tender, state.value, tasks.of(tender, now=now, rulebook=book)))
            drafts = await drafting.find(unit, visitor.actor)
            return {
                "lots": lots,
                "drafts": [one for one in drafts if one.state == drafting.DRAFT],
                "entries": await _entries(unit, visitor.actor, published={tender.lot for tender in own}),
            }

        return pages.show(request, "desk_home.html", visitor=visitor, **await database.read(mine, bearer=visitor.token))

    @get("/desk/entries/{code:str}")
    async def one_entry(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        lang = language.of(request.scope)

        async def read(unit: Unit) -> dict[str, Any]:
            found = await _entry(unit, code)
            parties = (found["document"]["owner"]["uscc"], (found["document"].get("agent") or {}).get("uscc"))
            if visitor.actor.organisation not in parties:
                raise Refused("not_this_tender", role=visitor.actor.role.value, organisation="")
            there = found["lot"] and await unit.tender.read(found["lot"]) is not None
            return {**found, "published": bool(there)}

        told = await database.read(read, bearer=visitor.token)
        document, _ = checking.read_document(told["document"])
        assert document is not None, "an entry was a whole document"
        power = next(one for one in powers.load() if Permission.ENTRY_ACCEPT.value in one.permissions)
        sections = notices.sections(document, told["documents"], lang)
        return pages.show(
            request, "desk_entry.html", visitor=visitor, entry=told, document=document, sections=sections, power=power
        )

    @post("/desk/entries/{code:str}", status_code=200)
    async def publish(request: Requested, code: FromPath[str]) -> Response[str]:
        visitor = await pages.visitor(request)
        told = await database.read(lambda unit: _entry(unit, code), bearer=visitor.token)
        return await doing.act(
            pages,
            request,
            visitor,
            verbs[Permission.TENDER_PUBLISH],
            {"lot": told["lot"]},
            then="/desk/lots/{lot}",
            zh="招标公告已发布。",
            en="The notice is published.",
        )

    return [
        home,
        one_entry,
        publish,
        *draft_pages.routes(pages, preview),
        *lot_pages.routes(pages, verbs),
        *clarifying.routes(pages, verbs[Permission.TENDER_AMEND]),
        *paper_pages.routes(pages),
        *doing.signing(pages, (*DESK, *draw)),
    ]


async def tenders_of(unit: Unit, actor: Actor) -> list[Tender]:
    """The published tenders of an owner or agent, the newest deadline first."""
    if actor.role is Role.OWNER:
        rows = await unit.tender.find({"owner": actor.organisation}, order=("-deadline",), limit=TENDERS_MAX)
    else:
        own = {"agent": actor.organisation, "state": "lot"}
        lots = await unit.project.find(own, order=("-code",), limit=TENDERS_MAX)
        rows = await unit.tender.find({"lot": In(tuple(one["code"] for one in lots))}, order=("-deadline",))
    return [from_json(row["body"]["tender"]) for row in rows]


async def _entries(unit: Unit, actor: Actor, *, published: set[str]) -> list[dict[str, Any]]:
    """What was handed in and is not public yet: waiting for the centre, or registered and waiting for a signature."""
    side = {"owner" if actor.role is Role.OWNER else "agent": actor.organisation}
    waiting = await unit.project.find({**side, "state": "entry_pending"}, limit=TENDERS_MAX)
    newest = await unit.project.find({**side, "state": "lot"}, order=("-code",), limit=TENDERS_MAX)
    codes = [row["code"] for row in waiting]
    codes += [row["body"]["entry"] for row in newest if row["code"] not in published]
    return [await _entry(unit, code) for code in codes]


async def _entry(unit: Unit, code: str) -> dict[str, Any]:
    """One entry: its number, state, document, files, and the codes it got. Raises Refused("entry_unknown")."""
    row = await unit.project.read(code)
    if row is None or not code.startswith("entry-"):
        raise Refused("entry_unknown", entry=code)
    body = row["body"]
    told = {name: body.get(name, "") for name in ("lot", "project", "unified_code", "state", "entered_at")}
    return {"entry": code, **told, "document": body["document"], "documents": body["documents"]}


def marked(text: str, lang: Lang) -> Markup:
    """A text of either language, marked as Chinese on an English page where it holds Chinese."""
    chinese = any("\u4e00" <= sign <= "\u9fff" for sign in text)
    return language.said(lang, text, "zh" if chinese else lang)
