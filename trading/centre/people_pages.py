"""Registration at the centre: organisations, people in their roles, who stands above whom, the register of experts.

20号令 §9, §24: registration is free and nothing but verification. 条例 §5, 法 §14: pairs that may not meet are refused
by the organisation graph, with the reason. A person's first password is shown once, to whoever hands it over.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from litestar import Response, get, post
from litestar.params import FromQuery

from crypto.refusal import Refused
from storage.unit import Unit
from trading.account.posts import NAMES
from trading.commands import parties
from trading.counter import verbs as counter_verbs
from trading.counter.page import doing, forms
from trading.counter.page.forms import Field, Filled, Upload
from trading.counter.page.pages import Pages, Requested
from trading.counter.page.session import Visitor
from trading.counter.verbs import Verb
from trading.people import accounts, directory, graphs
from trading.roles import Permission, Role

REGISTRABLE = (
    Role.OWNER, Role.AGENT, Role.BIDDER, Role.CENTRE, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR, Role.NOTARY,
    Role.TRUSTEE, Role.WITNESS, Role.EXPERT, Role.OWNER_REPRESENTATIVE,
)  # fmt: skip
ROLES = tuple((role.value, *NAMES[role]) for role in REGISTRABLE)
KINDS = (
    ("control", "控股", "controls"),
    ("manage", "管理", "manages"),
    ("subordinate", "隶属(上级)", "stands above"),
)
ORGANISATION = (
    Field("name", "名称", "Name"),
    Field("uscc", "统一社会信用代码", "Unified social credit code", "uscc"),
    Field("roles", "角色", "Role", "choice", choices=ROLES),
    Field("government", "行政机关", "Administrative body", "check", required=False),
)
PERSON = (
    Field("login", "用户名", "User name", max=60),
    Field("name", "姓名", "Name", max=60),
    Field("organisation", "单位统一社会信用代码", "Organisation (unified social credit code)", "uscc"),
    Field("role", "角色", "Role", "choice", choices=ROLES),
)
EDGE = (
    Field("parent", "上级单位(统一社会信用代码)", "Upper organisation (code)", "uscc"),
    Field("kind", "关系", "Relation", "choice", choices=KINDS),
    Field("child", "下级单位(统一社会信用代码)", "Lower organisation (code)", "uscc"),
)
DIRECTORY = (
    Field(
        "file", "单位名册(CSV 或 Excel)", "Register of organisations (CSV or Excel)", "file", accept=".csv,.xlsx",
        hint=(
            "表头:单位名称、统一社会信用代码、角色(可多个,用分号隔开)、行政机关(是或否,可省略)。",
            "Headings: name, uscc, roles (several with semicolons: owner agent bidder supervisor auditor notary), "
            "government (yes or no, may be left out).",
        ),
    ),
    Field(
        "only_right", "有问题的行跳过,只导入其余各行", "Skip lines that are wrong and import the others", "check",
        required=False,
        hint=("不勾选时,只要有一行有问题就全部不导入。", "Otherwise one wrong line keeps the whole file out."),
    ),
)  # fmt: skip
REGISTER = (Field("file", "专家名册(CSV 或 Excel)", "Register of experts (CSV or Excel)", "file", accept=".csv,.xlsx"),)
SHOWN_MAX = 200
Powered = Callable[[Visitor, Permission], Field]


def routes(pages: Pages, verbs: Mapping[Permission, Verb], powered: Powered) -> list[Any]:
    """The handlers of registration."""
    service = pages.service
    database, hall = service.database, service.hall

    def blanks(visitor: Visitor) -> dict[str, Filled]:
        given = {
            "organisation": (*ORGANISATION, powered(visitor, Permission.ORGANISATION_REGISTER)),
            "person": (*PERSON, powered(visitor, Permission.PERSON_REGISTER)),
            "edge": (*EDGE, powered(visitor, Permission.ORGANISATION_GRAPH_EDIT)),
            "directory": (*DIRECTORY, powered(visitor, Permission.ORGANISATION_REGISTER)),
        }
        named = {name: _named(name, fields) for name, fields in given.items()}
        return {name: forms.blank(fields, _first(fields)) for name, fields in named.items()}

    @get("/centre/organisations")
    async def organisations(request: Requested, q: FromQuery[str] = "") -> Response[str]:
        visitor = await pages.visitor(request)
        return await _show(request, visitor, {}, q=q)

    @post("/centre/organisations", status_code=200)
    async def register(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, blanks(visitor)["organisation"].fields)
        if filled.ok:
            value = _values(filled)
            fields = {**value, "roles": [value["roles"]]}
            said = ("单位已登记。", "The organisation is registered.")
            return await _run(request, visitor, Permission.ORGANISATION_REGISTER, fields, "organisation", filled, said)
        return await _show(request, visitor, {"organisation": filled}, status=422)

    @post("/centre/organisations/import", status_code=200)
    async def import_directory(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, blanks(visitor)["directory"].fields)
        value = _values(filled)
        given = value.get("file")
        if filled.ok and isinstance(given, Upload):

            async def take(unit: Unit) -> directory.Imported:
                visitor.actor.must(Permission.ORGANISATION_REGISTER, now=service.world.now(), power=value["power"])
                held = await parties.appointments(unit)
                return await directory.import_file(
                    unit, given.data, given.name, only_right=value["only_right"], appointments=held
                )

            try:
                imported = await database.write(take, bearer=visitor.token)
                return await _show(request, visitor, {"directory": filled}, imported=imported)
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, {"directory": filled}, status=422)

    @post("/centre/organisations/graph", status_code=200)
    async def edge(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        filled = await forms.read(request, blanks(visitor)["edge"].fields)
        if filled.ok:
            value = _values(filled)
            one = {name: value[name] for name in ("parent", "kind", "child")}
            away = str((await request.form()).get("do") or "") == "remove"
            fields = {"remove" if away else "add": [one], "power": value["power"]}
            said = ("关系已更新。", "The relation is changed.")
            return await _run(request, visitor, Permission.ORGANISATION_GRAPH_EDIT, fields, "edge", filled, said)
        return await _show(request, visitor, {"edge": filled}, status=422)

    @post("/centre/people", status_code=200)
    async def person(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, blanks(visitor)["person"].fields)
        if not filled.ok:
            return await _show(request, visitor, {"person": filled}, status=422)
        verb, value = verbs[Permission.PERSON_REGISTER], _values(filled)
        try:
            command = verb.command(**{**value, "lot": None})
            await counter_verbs.perform(service, verb, command, actor=visitor.actor, bearer=visitor.token, key=None)
            password = hall.entropy(8).hex()

            async def open_(unit: Unit) -> str:
                if await unit.account.read(value["login"]) is not None:
                    return ""
                await accounts.open_account(unit, login=value["login"], password=password, made_by_machine=True)
                return password

            first = await database.write(open_, bearer=visitor.token)
        except Refused as refused:
            filled = filled.refused(pages.told(refused), refused.rule)
            return await _show(request, visitor, {"person": filled}, status=422)
        return await _show(request, visitor, {}, made=(value["login"], first))

    @get("/centre/experts")
    async def experts(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        fields = (*REGISTER, powered(visitor, Permission.POOL_IMPORT))
        return await _experts(request, visitor, forms.blank(fields, _first(fields)), None)

    @post("/centre/experts", status_code=200)
    async def import_(request: Requested) -> Response[str]:
        visitor = await pages.visitor(request)
        await doing.check_csrf(request, visitor)
        filled = await forms.read(request, (*REGISTER, powered(visitor, Permission.POOL_IMPORT)))
        given = filled.values.get("file")
        if filled.ok and isinstance(given, Upload):
            verb = verbs[Permission.POOL_IMPORT]
            data = base64.b64encode(given.data).decode()
            try:
                command = verb.command(name=given.name, data=data, power=filled.values["power"])
                answer, _ = await counter_verbs.perform(
                    service, verb, command, actor=visitor.actor, bearer=visitor.token, key=None
                )
                return await _experts(request, visitor, filled, answer["result"])
            except Refused as refused:
                filled = filled.refused(pages.told(refused), refused.rule)
        return await _experts(request, visitor, filled, None, status=422)

    async def _experts(
        request: Requested, visitor: Visitor, filled: Filled, imported: Mapping[str, Any] | None, *, status: int = 200
    ) -> Response[str]:
        count = await database.read(lambda unit: unit.expert.count(), bearer=visitor.token)
        return pages.show(
            request,
            "centre_experts.html",
            visitor=visitor,
            status=status,
            filled=filled,
            imported=imported,
            count=count,
        )

    async def _run(
        request: Requested,
        visitor: Visitor,
        permission: Permission,
        fields: Mapping[str, Any],
        name: str,
        filled: Filled,
        said: tuple[str, str],
    ) -> Response[str]:
        try:
            return await doing.act(
                pages, request, visitor, verbs[permission], fields, then="/centre/organisations", zh=said[0], en=said[1]
            )
        except Refused as refused:
            filled = filled.refused(pages.told(refused), refused.rule)
        return await _show(request, visitor, {name: filled}, status=422)

    async def _show(
        request: Requested,
        visitor: Visitor,
        filled: Mapping[str, Filled],
        *,
        q: str = "",
        made: tuple[str, str] | None = None,
        imported: directory.Imported | None = None,
        status: int = 200,
    ) -> Response[str]:
        async def read(unit: Unit) -> dict[str, Any]:
            graph = await graphs.load(unit)
            wanted = [one for one in graph.organisations if q.strip() in f"{one.name} {one.uscc}"]
            names = {one.uscc: one.name for one in graph.organisations}
            return {
                "organisations": sorted(wanted, key=lambda one: one.name)[:SHOWN_MAX],
                "edges": sorted(graph.edges, key=lambda one: (one.parent, one.child)),
                "names": names,
            }

        told = await database.read(read, bearer=visitor.token)
        shown = {**blanks(visitor), **filled}
        return pages.show(
            request,
            "centre_organisations.html",
            visitor=visitor,
            status=status,
            forms=shown,
            q=q,
            made=made,
            imported=imported,
            roles={role.value: words for role, words in NAMES.items()},
            kinds={value: (zh, en) for value, zh, en in KINDS},
            **told,
        )

    return [organisations, register, import_directory, edge, person, experts, import_]


def _named(form: str, fields: Sequence[Field]) -> tuple[Field, ...]:
    """The fields of one of several forms on a page, told apart by the form's name."""
    return tuple(replace(one, name=f"{form}.{one.name}") for one in fields)


def _values(filled: Filled) -> dict[str, Any]:
    """What was understood, by the fields' own names."""
    return {name.rpartition(".")[2]: value for name, value in filled.values.items()}


def _first(fields: Sequence[Field]) -> dict[str, Any]:
    return {one.name: one.choices[0][0] for one in fields if one.name.endswith("power") and one.choices}
