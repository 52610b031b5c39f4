"""What programs subscribe to: notices as an Atom feed (RFC 4287), openings as a calendar (RFC 5545)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from xml.etree import ElementTree

from icalendar import Calendar, Event

from storage.world import instant
from trading.counter.page.language import Lang, address

ATOM = "http://www.w3.org/2005/Atom"
OPENING_MINUTES = 60


def atom(lots: Sequence[Mapping[str, Any]], *, name: str, base: str, lang: Lang, now: str) -> bytes:
    """The newest notices. `base` is the hall's own address without a slash at the end."""
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")

    def put(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
        made = ElementTree.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
        made.text = text or None
        return made

    page = base + address("/lots", lang)
    put(feed, "title", f"{name} · 招标公告" if lang == "zh" else "Tradehall · notices")
    put(feed, "id", page)
    put(feed, "updated", lots[0]["published_at"] if lots else now)
    put(feed, "link", rel="self", href=base + address("/feed.atom", lang))
    put(feed, "link", rel="alternate", type="text/html", href=page)
    put(put(feed, "author"), "name", name)
    for lot in lots:
        entry = put(feed, "entry")
        put(entry, "title", lot["name"])
        put(entry, "id", base + address(f"/lots/{lot['lot']}", "zh"))
        put(entry, "link", rel="alternate", type="text/html", href=base + address(f"/lots/{lot['lot']}", lang))
        put(entry, "updated", lot["published_at"])
        put(entry, "published", lot["published_at"])
        word = "投标截止及开标:" if lang == "zh" else "deadline and opening: "
        put(entry, "summary", f"{lot['lot']} · {word}{lot['deadline']}")
    data: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return data


def calendar(lots: Sequence[Mapping[str, Any]], *, name: str, base: str, lang: Lang, now: str) -> bytes:
    """Openings as events of one hour; a later deadline is a new version of the same event."""
    made = Calendar()
    made.add("prodid", "-//Tradehall//openings//ZH")
    made.add("version", "2.0")
    made.add("x-wr-calname", f"{name} 开标日历" if lang == "zh" else "Tradehall openings")
    for lot in lots:
        begins = instant(lot["deadline"])
        event = Event()
        event.add("uid", f"{lot['tender_id']}@tradehall")
        event.add("dtstamp", instant(now))
        event.add("dtstart", begins)
        event.add("dtend", begins + timedelta(minutes=OPENING_MINUTES))
        event.add("summary", f"开标:{lot['name']}" if lang == "zh" else f"Opening: {lot['name']}")
        event.add("url", base + address(f"/lots/{lot['lot']}/opening", lang))
        event.add("description", f"{lot['lot']}")
        made.add_component(event)
    data: bytes = made.to_ical()
    return data
