"""The page of a practice hall: what it is, the tender that is open now, the last opening, and a throw-away identity.

docs/decisions/0023-practice-tender.md. Nobody has to register: one button makes an organisation whose code is nobody's,
a person and a session, all of which end with this practice hall; the key is made in the browser as in a real hall, and
the practice's own authority certifies it.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from litestar import Response, get, post
from stdnum.cn import uscc as stdnum_uscc

from crypto.refusal import Refused
from portal.practice import round as round_
from storage.unit import Unit
from storage.world import Entropy
from trading import tenders
from trading.counter.page import session
from trading.counter.page.pages import Pages, Requested
from trading.people import accounts, sign_up
from trading.people.accounts import Post
from trading.people.sign_up import Applicant
from trading.roles import Role
from trading.tender import Tender

TEMPLATES = Path(__file__).parent / "templates"
SAMPLE = "bidders/03"
DOOR = "bidder"
# Codes of nobody: 91 (an enterprise) of 990000, a division that does not exist.
CODE_BEGINS = "91990000"
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def routes(pages: Pages, example: Path) -> list[Any]:
    """The handlers; `example` is the folder whose third bidder's files are given as samples."""
    service = pages.service
    database, world, hall = service.database, service.world, service.hall

    async def look(unit: Unit) -> tuple[int, Tender | None, list[tuple[str, str]]]:
        """The round that is open, its tender, and the newest that were opened."""
        now = await round_.current(unit)
        found = await unit.tender.find({"state": "opened"}, order=("-deadline",), limit=3)
        opened = [(row["lot"], row["deadline"]) for row in found]
        if now is None:
            return 0, None, opened
        return int(now["number"]), (await tenders.load(unit, now["lot"])).tender, opened

    @get("/practice")
    async def practice(request: Requested) -> Response[str]:
        number, tender, opened = await database.read(look)
        taking = tender is not None and tender.state.value == "bidding"
        return pages.show(
            request,
            "practice.html",
            number=number,
            tender=tender if taking else None,
            opened=opened,
            linger=int(round_.LINGER_SECONDS),
        )

    @post("/practice/begin", status_code=200)
    async def begin(request: Requested) -> Response[str]:
        _, tender, _ = await database.read(look)
        if tender is None or tender.state.value != "bidding":
            raise Refused("practice_between_rounds")
        code, number = throw_away_code(world.entropy), world.entropy(4).hex()
        password = world.entropy(12).hex()
        login, name = f"practice-{number}", f"练习投标人 {number[:4]}"
        now = world.now()
        address = request.client.host if request.client else ""

        async def work(unit: Unit) -> str:
            who = Applicant(login, "练习者", password)
            await sign_up.sign_up(unit, who, uscc=code, organisation=name, now=now, hall=hall)
            return await accounts.begin_session(
                unit, login=login, post=Post(Role.BIDDER, code), door=DOOR, now=now, hall=hall, address=address
            )

        token = await database.write(work)
        answer = pages.go(
            request,
            f"/bidder/lots/{tender.lot}",
            zh=f"您现在是“{name}”。先在“签名密钥”里生成密钥,再编制投标。",
            en="You are a throw-away bidder now. Make a key under “Signing keys”, then prepare the bid.",
        )
        answer.set_cookie(session.cookie(request, DOOR, token))
        return answer

    @get("/practice/samples.zip")
    async def samples() -> Response[bytes]:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for path in sorted((example / SAMPLE / "files").iterdir()):
                archive.write(path, path.name)
        named = {"content-disposition": 'attachment; filename="samples.zip"', "x-content-type-options": "nosniff"}
        return Response(made.getvalue(), media_type="application/zip", headers=named)

    return [practice, begin, samples]


def throw_away_code(entropy: Entropy) -> str:
    """A unified social credit code with a right check character that is nobody's."""
    body = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in entropy(9))
    return CODE_BEGINS + body + stdnum_uscc.calc_check_digit(CODE_BEGINS + body)
