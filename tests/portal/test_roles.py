"""Role × route: every route of the OpenAPI document asked by every role and by nobody is let in or denied as MATRIX
says (管办分离); incompatible roles cannot be made, nor arise later; a real hall has no demo routes.

`tests/golden/api_roles.txt` shows the outcome, one route a line: `x` let in, `.` denied by role (403
permission_denied), `?` asked to sign in (401 token_missing). TRADEHALL_GOLDEN=write in the environment writes it anew.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portal import app, folder, running
from portal.settings import Settings
from storage.world import RealWorld, SeededEntropy
from trading import roles
from trading.roles import FAMILY, INCOMPATIBLE, MATRIX, NEVER_TOGETHER, OFFICIALS, Permission, Role

if TYPE_CHECKING:
    from tests.portal.halls import Hall

pytestmark = pytest.mark.servers

GOLDEN = Path(__file__).parents[1] / "golden/api_roles.txt"
NOBODY = "nobody"
ASKERS = (*(role.value for role in Role), NOBODY)
P = Permission
API = "/api/v1/"

# Routes whose path is not the verb itself, with the permission that each needs.
BEHIND: dict[tuple[str, str], Permission] = {
    ("POST", "/api/v1/bidding/uploads"): P.BID_UPLOAD,
    ("GET", "/api/v1/bidding/uploads/{upload}"): P.BID_UPLOAD,
    ("PUT", "/api/v1/bidding/uploads/{upload}/{number}"): P.BID_UPLOAD,
    ("GET", "/api/v1/bidding/lots/{lot}/own"): P.BID_SUBMIT,
    ("PUT", "/api/v1/trading/files"): P.TENDER_ENTER,
    ("PUT", "/api/v1/experts/register"): P.POOL_IMPORT,
    ("POST", "/api/v1/experts/save_sheet"): P.SHEET_LOCK,
    ("POST", "/api/v1/experts/judge_competition"): P.BID_REJECT,
    ("GET", "/api/v1/experts/own"): P.EXPERT_SIGN_IN,
    ("GET", "/api/v1/lots/{lot}/room"): P.EXPERT_SIGN_IN,
    ("GET", "/api/v1/lots/{lot}/trail"): P.TRAIL_READ,
}
# What two roles read of the same kind: the parties all, a bidder its own.
TEXTS = frozenset({("GET", "/api/v1/lots/{lot}/objections"), ("GET", "/api/v1/lots/{lot}/questions")})
# Only a token: what it shows is the asker's own.
SIGNED_IN = frozenset({("GET", "/api/v1/inbox"), ("GET", "/api/v1/bidding/receipts/{event}")})
# No account: what is signed in the message decides.
BY_SIGNATURE = frozenset(
    ("POST", path)
    for path in (
        "/log/cosignature",
        "/api/v1/bidding/frozen",
        "/api/v1/bidding/present",
        "/api/v1/bidding/pre_keys",
        "/api/v1/bidding/ready",
        "/api/v1/bidding/release",
        "/api/v1/trading/enrol",
    )
)
DEMO = "/api/v1/demo/"
# The one verb that takes the anonymous actor as far as its own check, so that nobody is denied as the public is.
JUDGED_INSIDE = frozenset({"/api/v1/experts/save_sheet", "/api/v1/experts/judge_competition"})
VERB_PATHS = {API + permission.value.replace(".", "/"): permission for permission in Permission}


def expected(method: str, path: str, who: str) -> str:
    """The mark that MATRIX wants for one route and one asker."""
    route = (method, path)
    if route in BY_SIGNATURE or path.startswith(DEMO):
        return "x"
    if path == "/api/v1/bidding/read":
        readers = MATRIX_READERS
        return "?" if who == NOBODY else "x" if Role(who) in readers else "."
    if route in TEXTS:
        return "?" if who == NOBODY else "x" if who in ("owner", "agent", "bidder") else "."
    if route in SIGNED_IN:
        return "?" if who == NOBODY else "x"
    permission = BEHIND.get(route) or VERB_PATHS.get(path)
    if permission is None:
        assert method == "GET", f"{method} {path} belongs to no permission"
        return "x"
    if who == NOBODY:
        return "." if path in JUDGED_INSIDE else "?"
    return "x" if permission in MATRIX[Role(who)] else "."


# How the two forbidden unions are refused.
UNITED = frozenset({"roles_incompatible", "supervisory_staff_on_panel"})
MATRIX_READERS = frozenset(role for role in Role if {P.BID_READ, P.FULL_BUNDLE_EXPORT} & MATRIX[role])


def mark(response: Any) -> tuple[str, str | None]:
    """The mark of an answer, and its problem's code."""
    media = response.headers.get("content-type", "").partition(";")[0]
    told = response.json() if media in ("application/json", "application/problem+json") else None
    code = told.get("code") if isinstance(told, dict) else None
    assert response.status_code < 500, (response.request.method, response.request.url, response.text)
    by_code = {"permission_denied": (".", 403), "token_missing": ("?", 401)}
    if code in by_code:
        sign, status = by_code[code]
        assert response.status_code == status
        return sign, code
    assert response.status_code != 401
    assert response.status_code != 403 or code == "power_code_missing", (response.request.url, code)
    return "x", code


@pytest.fixture(scope="module")
def asked(hall: Hall) -> dict[tuple[str, str], dict[str, tuple[str, str | None]]]:
    """(method, path) → asker → (mark, code). Officials name the power that they hold for the verb."""
    found: dict[tuple[str, str], dict[str, tuple[str, str | None]]] = {}
    for method, path in hall.routes():
        permission = VERB_PATHS.get(path) or BEHIND.get((method, path))
        row = {}
        for who in ASKERS:
            power = hall.power_of(Role(who), permission) if permission and who != NOBODY else None
            row[who] = mark(hall.ask(who=who, **hall.request(method, path, power=power)))
        found[method, path] = row
    return found


def test_every_route_lets_in_whom_the_matrix_lets_in_and_nobody_else(
    asked: dict[tuple[str, str], dict[str, tuple[str, str | None]]],
) -> None:
    wrong = [
        (route, who, code)
        for route, row in asked.items()
        for who, (sign, code) in row.items()
        if sign != expected(*route, who)
    ]
    assert wrong == []


def test_the_table_of_routes_and_roles_is_the_golden_one(
    asked: dict[tuple[str, str], dict[str, tuple[str, str | None]]],
) -> None:
    width = max(len(f"{method} {path}") for method, path in asked)
    lines = [" " * width + "  " + " ".join(ASKERS)]
    for (method, path), row in sorted(asked.items(), key=lambda one: (one[0][1], one[0][0])):
        marks = " ".join(row[who][0].center(len(who)) for who in ASKERS)
        lines.append(f"{method + ' ' + path:<{width}}  {marks}".rstrip())
    text = "\n".join(lines) + "\n"
    if os.environ.get("TRADEHALL_GOLDEN") == "write":
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8")


def test_every_permission_of_a_person_has_a_route_and_every_verb_a_permission(hall: Hall) -> None:
    """What no route offers is done by the hall's own machinery, or by a program with its own key."""
    paths = {path for _, path in hall.routes()}
    served = {permission for path, permission in VERB_PATHS.items() if path in paths} | set(BEHIND.values())
    assert set(Permission) - served == {
        P.DIRECTIVE_EXECUTE,
        P.CLOCK_ACT,
        P.BIDS_OPEN,
        P.VERDICT_SIGN,
        P.READING_GRANT,
        P.ROOM_OPEN,
        P.FULL_BUNDLE_EXPORT,
        P.CHECKPOINT_COSIGN,
        P.DATA_ERASE,
    }


def test_full_bundle_is_for_supervision_only(hall: Hall) -> None:
    for who in ASKERS:
        asked = hall.ask(who=who, **hall.request("GET", "/api/v1/lots/{lot}/bundle", view="full"))
        sign, code = mark(asked)
        may = who != NOBODY and P.FULL_BUNDLE_EXPORT in MATRIX[Role(who)]
        assert sign == ("x" if may else "."), (who, code)


def test_no_code_no_act_at_every_route_of_an_official(hall: Hall) -> None:
    """权力清单: an official's verb without the code of a power in force is refused, whatever the rest."""
    for method, path in hall.routes():
        permission = VERB_PATHS.get(path)
        if permission is None or path == "/api/v1/bidding/read":
            continue
        for role in OFFICIALS:
            if permission in MATRIX[role]:
                assert mark(hall.ask(who=role.value, **hall.request(method, path)))[1] == "power_code_missing", path


def test_nobody_becomes_somebody_by_a_made_up_token(hall: Hall) -> None:
    for token in ("x", "Bearer", "0" * 64, "' OR 1=1 --", "é".encode().decode("latin-1")):
        response = hall.http.get("/api/v1/inbox", headers={"authorization": f"Bearer {token}".encode("latin-1")})
        assert (response.status_code, response.json()["code"]) == (401, "token_unknown"), token


@pytest.fixture
def centre(hall: Hall) -> Iterator[Any]:
    """A verb of the centre, with its power; answers (status, problem code or None)."""

    def run(verb: str, **body: Any) -> tuple[int, str | None]:
        power = hall.power_of(Role.CENTRE, verb.replace("/", "."))
        answer = hall.ask("POST", API + verb, who="centre", json={**body, "power": power})
        return answer.status_code, answer.json().get("code")

    yield run


def uscc(number: int) -> str:
    """A well-formed code of an organisation that nobody is."""
    base = f"91139900MA{number:07d}"
    return base + check_character(base)


def check_character(base: str) -> str:
    """GB 32100: the last character, by weights 3^i modulo 31."""
    letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(letters.index(each) * pow(3, place, 31) for place, each in enumerate(base))
    return letters[-total % 31]


def of_family(family: roles.Family) -> Role:
    """A role of a family."""
    return next(role for role in Role if FAMILY[role] is family)


def test_no_organisation_is_registered_in_two_incompatible_roles(centre: Any) -> None:
    for number, pair in enumerate(sorted(NEVER_TOGETHER, key=sorted)):
        one, other = (of_family(family) for family in sorted(pair))
        both = {"name": "甲", "uscc": uscc(number), "roles": [one.value, other.value]}
        status, code = centre("trading/register_organisation", **both)
        assert status == 422 and code in UNITED, (one, other, code)


def test_incompatible_roles_do_not_come_one_after_the_other(centre: Any) -> None:
    """Registered in one role with a person in it, then in another: the second person is refused."""
    for number, pair in enumerate(sorted(NEVER_TOGETHER, key=sorted), start=20):
        one, other = (of_family(family) for family in sorted(pair))
        body = {"name": "甲", "uscc": uscc(number)}
        assert centre("trading/register_organisation", **body, roles=[one.value]) == (200, None)
        person = {"name": "乙", "organisation": uscc(number)}
        assert centre("trading/register_person", **person, login=f"o{number}", role=one.value) == (200, None)
        refused = [
            centre("trading/register_organisation", **body, roles=[other.value]),
            centre("trading/register_person", **person, login=f"p{number}", role=other.value),
        ]
        assert refused[-1][0] == 422 and refused[-1][1] in UNITED, (one, other, refused)


def test_no_person_is_registered_in_two_incompatible_roles(centre: Any) -> None:
    for number, pair in enumerate(sorted(INCOMPATIBLE, key=sorted), start=100):
        one, other = (of_family(family) for family in sorted(pair))
        for index, role in enumerate((one, other)):
            body = {"name": "丙", "uscc": uscc(2 * number + index), "roles": [role.value]}
            assert centre("trading/register_organisation", **body) == (200, None), role
        login = f"person-{number}"
        told = {"login": login, "name": "丁"}
        first = {**told, "organisation": uscc(2 * number), "role": one.value}
        assert centre("trading/register_person", **first) == (200, None)
        second = {**told, "organisation": uscc(2 * number + 1), "role": other.value}
        status, code = centre("trading/register_person", **second)
        assert status == 422 and code in UNITED, (one, other, code)


def test_forbidden_kinship_does_not_arise_by_a_later_edge(centre: Any, hall: Hall) -> None:
    """条例 §5, 法 §14, 20号令 §23: no edge makes a supervisor stand above the centre or the centre above a bidder."""
    members = {part: hall.stage.cast.of(part).uscc for part in ("centre", "supervisor", "bidder:02")}
    for parent, child, codes_ in (
        ("supervisor", "centre", {"centre_under_a_supervisor"}),
        ("centre", "bidder:02", {"operator_linked_to_bidder"}),
        ("bidder:02", "centre", {"operator_linked_to_bidder"}),
    ):
        for kind in ("control", "manage"):
            edge = {"parent": members[parent], "child": members[child], "kind": kind}
            status, code = centre("trading/edit_organisation_graph", add=[edge])
            assert status == 422 and code in codes_, (parent, child, kind, code)


def test_forbidden_kinship_does_not_arise_through_one_in_between(centre: Any, hall: Hall) -> None:
    between = {"name": "中间公司", "uscc": uscc(900), "roles": []}
    assert centre("trading/register_organisation", **between) == (200, None)
    operator, bidder = hall.stage.cast.of("centre").uscc, hall.stage.cast.of("bidder:03").uscc
    first = {"parent": operator, "child": uscc(900), "kind": "control"}
    second = {"parent": uscc(900), "child": bidder, "kind": "control"}
    assert centre("trading/edit_organisation_graph", add=[first]) == (200, None)
    status, code = centre("trading/edit_organisation_graph", add=[second])
    assert (status, code) == (422, "operator_linked_to_bidder")
    assert centre("trading/edit_organisation_graph", remove=[first]) == (200, None)
    assert centre("trading/edit_organisation_graph", add=[second]) == (200, None), "the edge alone is harmless"


def test_after_all_this_nobody_holds_two_roles_that_may_not_meet(hall: Hall) -> None:
    """I9, over everything that the tests of this file managed to register."""

    async def held(opened: running.Running) -> list[dict[str, Any]]:
        return await opened.database.read(lambda unit: unit.role_grant.find())

    rows = hall.thread.call(held)
    assert len(rows) > 40
    for one, other in combinations(rows, 2):
        if one["person"] == other["person"] or (one["organisation"] and one["organisation"] == other["organisation"]):
            assert frozenset({FAMILY[Role(one["role"])], FAMILY[Role(other["role"])]}) not in INCOMPATIBLE


def paths_of(opened: running.Running) -> set[str]:
    """Every path of the application's own route table, those outside the OpenAPI document too."""
    return {route.path for route in app.build(opened).routes}


def test_a_real_hall_has_no_demo_route(hall: Hall, tmp_path: Path) -> None:
    made = folder.create(
        tmp_path / "real",
        name="青岚市公共资源交易中心",
        uscc="12139900259796191P",
        region="139900",
        demo=False,
        entropy=SeededEntropy("real"),
    )
    shutil.copyfile(hall.data / "trust.json", made.path / "trust.json")

    async def walk() -> set[str]:
        opened = await running.open_hall(made, world=RealWorld(), settings=Settings())
        try:
            return paths_of(opened)
        finally:
            await opened.database.close()

    real, rehearsal = asyncio.run(walk()), paths_of(hall.thread.running)  # type: ignore[arg-type]
    assert rehearsal - real == {"/api/v1/demo/clock"}, "and the rehearsal has it: the walk can see"
    assert real - rehearsal == {"/api/v1/certification"}, "roots of a rehearsal sign on the machine that plays it"
    assert not [path for path in real if "demo" in path]
    assert not (made.path / "demo").exists()


def test_the_public_page_of_roles_is_made_from_the_same_matrix() -> None:
    assert all(f"{permission.value} " in roles.matrix_text() for permission in Permission)
