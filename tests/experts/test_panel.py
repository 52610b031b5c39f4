"""The panel: shape, seats from draw to sign-in, secrecy of names, replacement."""

import random
from datetime import UTC, datetime

import pytest

from crypto import lottery
from crypto.refusal import Refused
from experts import notices, panel
from experts.avoidance import Reason, Tie
from experts.panel import Panel, SeatState
from trading.roles import Role

SALT = bytes(range(32))
EXPERTS = [f"Z{at:03}" for at in range(12)]
MASKED = {lottery.mask(SALT, expert): expert for expert in EXPERTS}
POOL = lottery.Pool(
    (lottery.Stratum("A0803", 3, tuple(sorted(MASKED))), lottery.Stratum("A0601", 2, tuple(sorted(MASKED))))
)
ORDERS = lottery.draw(POOL, bytes(32))


def drawn() -> Panel:
    return panel.form(lottery.seat(POOL, ORDERS, conflicts=()))


def expert_of(members: Panel, seat: int) -> str:
    return MASKED[bytes.fromhex(members.of(seat).masked)]


def accepted(members: Panel, seat: int) -> Panel:
    return panel.step(panel.step(members, seat, SeatState.INVITED), seat, SeatState.ACCEPTED)


def signed_in(members: Panel, seat: int) -> Panel:
    ready = accepted(members, seat)
    return panel.sign_in(ready, seat, expert=expert_of(ready, seat), salt=SALT, declared=True, reasons=())


def full() -> Panel:
    members = drawn()
    for held in members.seats:
        members = signed_in(members, held.seat)
    return members


@pytest.mark.parametrize(("members", "least"), [(5, 4), (7, 5), (9, 6), (11, 8)])
@pytest.mark.rule("E-61", "pass")
def test_x18_two_thirds_rounded_up_are_experts(members: int, least: int) -> None:
    assert panel.experts_min(members) == least
    assert panel.check_shape(members, least).experts == least


@pytest.mark.parametrize(
    ("members", "experts", "code"),
    [
        (3, 3, "panel_members_too_few"),
        (6, 6, "panel_not_odd"),
        (5, 3, "panel_too_few_experts"),
        (7, 4, "panel_too_few_experts"),
        (9, 5, "panel_too_few_experts"),
        (5, 6, "panel_too_few_experts"),
    ],
)
@pytest.mark.rule("E-61", "refuse")
def test_panels_of_another_shape_are_refused(members: int, experts: int, code: str) -> None:
    with pytest.raises(Refused) as err:
        panel.check_shape(members, experts)
    assert (err.value.code, err.value.rule) == (code, "E-61")


def test_a_rulebook_may_ask_for_more_members() -> None:
    with pytest.raises(Refused) as err:
        panel.check_shape(5, 5, members_min=7)
    assert err.value.facts["least"] == 7


def test_owner_representatives_count_as_members_but_not_as_experts() -> None:
    four = lottery.Pool((lottery.Stratum("A0803", 4, tuple(sorted(MASKED))),))
    seats = lottery.seat(four, lottery.draw(four, bytes(32)), conflicts=())
    assert len(panel.form(seats, representatives=["r"]).seats) == 4
    with pytest.raises(Refused) as err:
        panel.form(seats)
    assert err.value.code == "panel_members_too_few"


@pytest.mark.rule("E-63", "pass")
def test_seats_are_those_of_the_draw() -> None:
    held = drawn().seats
    assert [bytes.fromhex(seat.masked) for seat in held[:3]] == list(ORDERS[0][:3])
    assert len({seat.masked for seat in held}) == 5
    assert {seat.expert for seat in held} == {None}


@pytest.mark.rule("E-63", "refuse")
def test_nobody_may_designate_the_successor() -> None:
    members = panel.step(panel.step(drawn(), 1, SeatState.INVITED), 1, SeatState.DECLINED)
    with pytest.raises(Refused) as err:
        panel.replacement(members, 1, ORDERS, conflicts=(), proposed=ORDERS[0][-1])
    assert (err.value.code, err.value.rule) == ("expert_designated", "E-63")


@pytest.mark.rule("E-63", "refuse")
def test_a_seat_that_is_held_cannot_be_given_away() -> None:
    with pytest.raises(Refused) as err:
        panel.replacement(accepted(drawn(), 1), 1, ORDERS, conflicts=())
    assert (err.value.code, err.value.rule) == ("panel_seat_not_free", "E-63")


@pytest.mark.rule("E-63", "refuse")
def test_another_person_cannot_sign_in_on_a_drawn_seat() -> None:
    members = accepted(drawn(), 1)
    stranger = next(expert for expert in EXPERTS if expert != expert_of(members, 1))
    with pytest.raises(Refused) as err:
        panel.sign_in(members, 1, expert=stranger, salt=SALT, declared=True, reasons=())
    assert (err.value.code, err.value.rule) == ("sign_in_not_the_drawn_expert", "E-63")


def test_only_listed_steps_are_taken() -> None:
    allowed = {(state, to) for state, onward in panel.TRANSITIONS.items() for to in onward}
    for state in SeatState:
        for to in SeatState:
            name = expert_of(drawn(), 1) if state is SeatState.SIGNED_IN else None
            held = panel.Held(1, 0, drawn().of(1).masked, state, name)
            members = Panel(drawn().drawn, (held, *drawn().seats[1:]))
            if (state, to) in allowed and to is not SeatState.SIGNED_IN:
                assert panel.step(members, 1, to).of(1).state is to
            else:
                with pytest.raises(Refused) as err:
                    panel.step(members, 1, to)
                assert err.value.code == "panel_seat_step"


@pytest.mark.rule("E-65", "refuse")
def test_names_are_unknown_to_everybody_until_the_last_sign_in() -> None:
    members = drawn()
    for seat in range(1, 5):
        members = signed_in(members, seat)
        for role in Role:
            with pytest.raises(Refused) as err:
                panel.names(members, role, result_fixed=False)
            assert (err.value.code, err.value.rule) == ("panel_names_masked", "E-65")


@pytest.mark.parametrize("role", [Role.BIDDER, Role.PUBLIC, Role.CENTRE, Role.ADMINISTRATOR, Role.CLOCKWORK])
@pytest.mark.rule("E-65", "refuse")
def test_names_are_secret_from_bidders_public_and_centre_until_the_result_is_fixed(role: Role) -> None:
    with pytest.raises(Refused) as err:
        panel.names(full(), role, result_fixed=False)
    assert (err.value.code, err.value.rule) == ("panel_names_secret", "E-65")
    assert len(panel.names(full(), role, result_fixed=True)) == 5


@pytest.mark.rule("E-65", "pass")
def test_the_panel_owner_and_supervisor_know_the_names_after_sign_in() -> None:
    for role in (Role.EXPERT, Role.OWNER, Role.AGENT, Role.SUPERVISOR):
        assert set(panel.names(full(), role, result_fixed=False).values()) <= set(EXPERTS)


@pytest.mark.rule("E-67", "refuse")
def test_sign_in_needs_both_declarations() -> None:
    members = accepted(drawn(), 1)
    with pytest.raises(Refused) as err:
        panel.sign_in(members, 1, expert=expert_of(members, 1), salt=SALT, declared=False, reasons=())
    assert (err.value.code, err.value.rule) == ("declaration_not_signed", "E-67")


@pytest.mark.rule("E-67", "refuse")
def test_who_must_avoid_a_bidder_cannot_sign_in() -> None:
    members = accepted(drawn(), 1)
    why = [Reason("BIDDER", Tie.KIN, "BIDDER", "E-67")]
    with pytest.raises(Refused) as err:
        panel.sign_in(members, 1, expert=expert_of(members, 1), salt=SALT, declared=True, reasons=why)
    assert (err.value.code, err.value.rule) == ("expert_must_avoid", "E-67")


@pytest.mark.rule("E-66", "refuse")
def test_supervisory_staff_cannot_sign_in_even_when_they_were_drawn() -> None:
    members = accepted(drawn(), 1)
    why = [Reason("B", Tie.KIN, "B", "E-67"), Reason("HOUSING", Tie.SUPERVISORY_STAFF, "HOUSING", "E-66")]
    with pytest.raises(Refused) as err:
        panel.sign_in(members, 1, expert=expert_of(members, 1), salt=SALT, declared=True, reasons=why)
    assert (err.value.code, err.value.rule) == ("expert_is_supervisory_staff", "E-66")


@pytest.mark.rule("E-67", "refuse")
def test_the_conclusions_of_a_replaced_member_are_void() -> None:
    members = full()
    gone = members.of(2).masked
    left = panel.step(members, 2, SeatState.RECUSED)
    for state in (left, panel.replacement(left, 2, ORDERS, conflicts=())):
        with pytest.raises(Refused) as err:
            panel.require_current(state, 2, gone)
        assert (err.value.code, err.value.rule) == ("conclusions_void", "E-67")


@pytest.mark.rule("E-67", "pass")
def test_the_successor_signs_in_and_concludes_anew() -> None:
    members = panel.replacement(panel.step(full(), 2, SeatState.RECUSED), 2, ORDERS, conflicts=())
    with pytest.raises(Refused) as err:
        panel.require_current(members, 2, members.of(2).masked)
    assert err.value.code == "expert_not_signed_in"
    members = signed_in(members, 2)
    assert panel.require_current(members, 2, members.of(2).masked).state is SeatState.SIGNED_IN


def test_who_left_never_returns_and_nobody_sits_twice_whatever_happens() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        members, gone = drawn(), set[str]()
        for _ in range(7):
            seat = chance.randrange(1, 6)
            if members.of(seat).state is SeatState.DRAWN:
                members = panel.step(members, seat, SeatState.INVITED)
            how = chance.choice([SeatState.DECLINED, SeatState.NO_ANSWER])
            gone.add(members.of(seat).masked)
            members = panel.step(members, seat, how)
            members = panel.replacement(members, seat, ORDERS, conflicts=())
            seated = {held.masked for held in members.seats}
            assert len(seated) == 5, f"seed {seed}"
            assert not seated & gone, f"seed {seed}"


def test_a_stratum_that_runs_out_ends_the_attempt() -> None:
    members = drawn()
    with pytest.raises(Refused) as err:
        for _ in range(len(EXPERTS)):
            members = panel.step(panel.step(members, 1, SeatState.INVITED), 1, SeatState.DECLINED)
            members = panel.replacement(members, 1, ORDERS, conflicts=())
    assert err.value.code == "draw_stratum_exhausted"


def invited(place: str) -> notices.Invitation:
    return notices.invitation(
        starts=datetime(2026, 4, 1, 1, 0, tzinfo=UTC),
        place=place,
        answer_until=datetime(2026, 3, 31, 8, 0, tzinfo=UTC),
        contact="0393-1234567",
        forbidden=["某县公路养护工程", "某县 交通局", "YH-2026-01"],
    )


@pytest.mark.rule("E-65", "pass")
def test_an_invitation_tells_time_and_place_only() -> None:
    text = invited("市公共资源交易中心三楼")
    assert "2026-04-01 09:00" in text.zh
    assert "2026-04-01 09:00" in text.en


@pytest.mark.parametrize("place", ["某县交通局三楼", "某县公路养护工程评标室", "room yh-2026-01"])
@pytest.mark.rule("E-65", "refuse")
def test_an_invitation_that_names_project_or_owner_is_refused(place: str) -> None:
    with pytest.raises(Refused) as err:
        invited(place)
    assert (err.value.code, err.value.rule) == ("invitation_names_the_project", "E-65")
