"""The page of a bid: nothing that is typed there can be posted, and the tender's requirements are all shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bidding.desk import pages, requirements, wording
from trading import tender_document

EXAMPLE = Path(__file__).parents[1] / "examples" / "other-road" / "tender.json"


def test_no_browser_could_post_a_price_to_the_hall() -> None:
    page = (pages.TEMPLATES / "bidder_bid.html").read_text("utf-8")
    form = re.search(r"<form data-prepare.*?</form>", page, re.S)
    assert form, "the page has its form"
    assert not re.search(r"<(input|select|textarea|button)[^>]*\sname=", form[0]), "a field with a name can be posted"
    assert not re.search(r"\s(action|formaction|method)=", form[0]), "a form with an address can be posted"
    assert re.match(r"<form [^>]*\bhidden\b", form[0]), "without scripts nothing can be typed"


def test_only_the_sealing_modules_speak_of_what_is_typed() -> None:
    for script in sorted(pages.STATIC.glob("*.js")):
        text = script.read_text("utf-8")
        sent = re.findall(r"\b(?:XMLHttpRequest|WebSocket|sendBeacon|EventSource)\b", text)
        asked = re.findall(r"fetch\(([^)]*)\)", text)
        assert not sent, script.name
        assert all(one in ('"/trust.json"', 'document.querySelector("[data-words]"') for one in asked), (
            script.name,
            asked,
        )


def test_a_file_that_answers_two_requirements_is_asked_for_once() -> None:
    plain = json.loads(EXAMPLE.read_text("utf-8"))
    letter = next(row for row in plain["requirements"] if row["envelope"] == 1)
    plain["requirements"].append({**letter, "code": "Z9", "name": "授权委托书", "mandatory": False})
    document = tender_document.from_json(plain)
    (wanted,) = requirements.files(document)
    assert (wanted.file, wanted.codes, wanted.mandatory) == (letter["file"], (letter["code"], "Z9"), True)
    assert set(requirements.fields(document)) == {"price_fen", "period_days", "quality"}


def test_what_the_sealing_modules_refuse_has_words() -> None:
    folder = Path(pages.__file__).parents[1] / "door" / "sealing"
    said = {
        code
        for file in folder.rglob("*.js")
        for code in re.findall(r'Refused\("([a-z_0-9]+)"', file.read_text("utf-8"))
    }
    assert len(said) > 30
    assert sorted(said - set(wording.table())) == []
