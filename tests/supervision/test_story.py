"""The story of a whole tender in plain sentences: every act in both languages, groups and counts by their names."""

from __future__ import annotations

from crypto.ledger import acts
from supervision import story
from tests.crypto.verifier.world import World
from trading.counter.page import terms


def test_every_act_of_a_whole_tender_is_told_in_both_languages() -> None:
    world = World().run()
    shown = [each for each in world.hall.acts if each.act["tender_id"] == world.hall.tender_id]
    told = story.tell([{"leaf": each.leaf, "act": each.act} for each in shown])
    assert [line.leaf for line in told] == [each.leaf for each in shown]
    for line in told:
        zh, en = line.words
        spoken = line.kind == "directive"  # It ends with the supervisor's own words.
        assert spoken or (zh.endswith("。") and en.endswith(".")), line
        assert line.kind not in zh, "a kind's name is no word for people"
    by_kind = {line.kind: line.words for line in told}
    count = len(world.hall.events)
    assert by_kind["tally"] == (
        f"清点本次招标的不公开记录,共{count}条。",
        f"The private acts of this tender were counted: {count}.",
    )
    assert by_kind["ready"][0].startswith(("运行组受托人", "监督组受托人")) and "group is ready" in by_kind["ready"][1]


def test_every_public_kind_has_words() -> None:
    assert set(terms.ACTS) >= acts.PUBLIC_KINDS
