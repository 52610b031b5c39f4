"""The stage: plays a script's steps through the hall's own API, each as the person who takes it.

Nothing is done behind the API: owners sign their acts with their own key, bidders use tradehall-bidder, trustees and
witnesses are the programs they would run at home. Only the clock is the stage's, and it is a rehearsal's.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from bidding.client.server import Server
from crypto.refusal import Refused
from crypto.terminal import Told
from portal import durations
from portal.demo.cast import Cast, Member
from portal.demo.script import Step
from storage.world import instant, stamp
from trading.roles import Role

Narrate = Callable[[datetime, str, str], None]


@dataclass
class Stage:
    """One performance. `lot` is known once the tender is published; `refusals` keeps what the hall refused."""

    cast: Cast
    example: Path
    url: str
    work: Path
    tokens: Mapping[str, str]
    narrate: Narrate
    doors: Mapping[Role, str] = field(default_factory=dict)
    lot: str = ""
    now: datetime = field(default_factory=lambda: instant("2026-03-02T01:00:00.000Z"))

    @cached_property
    def anybody(self) -> Server:
        """The hall, asked as nobody."""
        return Server(self.url)

    def server(self, member: Member) -> Server:
        """The hall, asked as this member."""
        return Server(self.address(member.role), token=self.tokens[member.login], device="rehearsal")

    def address(self, role: Role) -> str:
        """Where people of this role go in: one address in an embedded hall, a door each where they are apart."""
        return self.doors.get(role, self.url)

    def move_to(self, at: datetime) -> None:
        """Move the hall's clock forward to an instant."""
        if at > self.now:
            told = self.anybody.post("/api/v1/demo/clock", {"advance": durations.iso(at - self.now)})
            self.now = instant(told["now"])

    def publish_tender(self, step: Step) -> None:
        """Hand in the document and its files, have the centre register it, publish under the owner's or agent's key."""
        member = self.cast.of(step.part)
        server = self.server(member)
        files = [self._put(server, path) for path in sorted((self.example / "documents").iterdir())]
        document = _json(self.example / "tender.json")
        entry = server.verb("trading/enter_tender", {"document": document, "documents": files})["result"]["entry"]
        accepted = self.official(self.cast.of("centre"), "trading/accept_entry", {"entry": entry})["result"]
        self.lot = accepted["lot"]
        self._act(member, "trading/publish_tender", {"lot": self.lot})
        self.narrate(
            self.now,
            f"{member.organisation}发布招标公告:{document['lot']['name']}(标段编号 {self.lot})",
            f"{member.organisation} publishes the tender; the lot is {self.lot}",
        )

    def amend(self, step: Step) -> None:
        """A clarification, with or without a later deadline."""
        member = self.cast.of(step.part)
        server = self.server(member)
        deadline = step.fields["deadline"]
        body = {
            "lot": self.lot,
            "text": step.fields["text"],
            "affects_bids": step.fields["affects_bids"],
            "deadline": None if deadline is None else stamp(datetime.fromisoformat(deadline)),
            "documents": [self._put(server, self.example / path) for path in step.fields["documents"]],
        }
        self._act(member, "trading/amend", body)
        self.narrate(self.now, "澄清文件发布,通知所有下载人", "a clarification goes to everybody who downloaded")

    def ask(self, step: Step) -> None:
        """A bidder asks about the documents."""
        self._verb(self.bidder(step), "trading/ask", {"text": step.fields["text"]["zh"]})
        self.narrate(self.now, "一名潜在投标人提问", "a bidder asks a question")

    def object(self, step: Step) -> None:
        """A bidder objects; the process holds until the answer."""
        self._verb(self.bidder(step), "trading/object", {"text": step.fields["text"]["zh"]})
        self.narrate(self.now, "投标人提出异议,程序暂停", "a bidder objects: the process holds")

    def answer(self, step: Step) -> None:
        """The owner answers the oldest open objection."""
        member = self.cast.of(step.part)
        server = self.server(member)
        open_ = [row for row in server.get(f"/api/v1/lots/{self.lot}/objections") if row["state"] == "open"]
        body = {"lot": self.lot, "objection": open_[0]["objection"], "text": step.fields["text"]["zh"]}
        server.verb("trading/answer", body)
        self.narrate(self.now, "招标人答复异议,程序恢复", "the owner answers: the process resumes")

    def review_report(self, step: Step) -> None:
        """The owner reads the report."""
        self._verb(self.cast.of(step.part), "trading/review_report", {})

    def publicise(self, step: Step) -> None:
        """The candidates are published."""
        self._act(self.cast.of(step.part), "trading/publicise", {"lot": self.lot})
        self.narrate(self.now, "中标候选人公示", "the candidates are published")

    def award(self, step: Step) -> None:
        """To the first candidate."""
        self._act(self.cast.of(step.part), "trading/award", {"lot": self.lot, "rank": 1})
        self.narrate(self.now, "定标,向所有投标人同时发出通知", "awarded; every bidder is told at the same instant")

    def report_to_regulator(self, step: Step) -> None:
        """The written report."""
        text = f"招标投标情况书面报告 {self.lot}"
        self._verb(self.cast.of(step.part), "trading/report_to_regulator", {"hash": sha256(text.encode()).hexdigest()})
        self.narrate(self.now, "向监督部门提交书面报告", "the written report goes to the regulator")

    def file_contract(self, step: Step) -> None:
        """The contract as the bid has it."""
        acts = self.acts()
        award = next(act for act in reversed(acts) if act["kind"] == "award")
        publicity = next(act for act in reversed(acts) if act["kind"] == "publicity")
        winner = next(row for row in publicity["candidates"] if row["bid"] == award["bid"])
        text = f"施工合同 {self.lot} {winner['bidder']['name']} {winner['price_fen']}"
        body = {
            "lot": self.lot,
            "price_fen": winner["price_fen"],
            "period_days": winner["period_days"],
            "quality": winner["quality"],
            "hash": sha256(text.encode()).hexdigest(),
        }
        self._act(self.cast.of(step.part), "trading/file_contract", body)
        self.narrate(self.now, "合同签订并备案,与投标文件一致", "the contract is filed, as the bid has it")

    def official(self, member: Member, verb: str, body: Mapping[str, Any]) -> Any:
        """A verb of an official names the power it exercises, as the public list has it: no code, no act."""
        server, permission = self.server(member), verb.replace("/", ".")
        powers = [
            power["code"]
            for power in server.get("/api/v1/powers")
            if permission in power["permissions"] and member.role.value in power["holders"]
        ]
        return server.verb(verb, {**body, "power": powers[0] if powers else None})

    def acts(self) -> list[dict[str, Any]]:
        """The tender's public acts so far."""
        told = self.anybody.get(f"/api/v1/lots/{self.lot}/timeline")["acts"]
        return [one["act"] for one in told]

    def bidder(self, step: Step) -> Member:
        """The bidder of a step."""
        return self.cast.of(step.who)

    def play(self, step: Step, act: Callable[[Step], None]) -> None:
        """Take one step; a step that the hall must refuse is refused by that rule, or the performance fails."""
        try:
            act(step)
        except Told as told:
            rule = told.problem.get("rule")
            if step.refused is None or rule != step.refused:
                raise
            message = told.problem["message"]
            self.narrate(self.now, f"平台拒绝[{rule}]:{message['zh']}", f"the hall refuses [{rule}]: {message['en']}")
        else:
            if step.refused is not None:
                raise Refused("script_step_not_refused", who=step.who, does=step.does, rule=step.refused)

    def _act(self, member: Member, verb: str, body: Mapping[str, Any]) -> Any:
        """A verb whose act the member's organisation signs."""
        return self.server(member).act(verb, body, signer=self.cast.signer(member), by=member.role.value)

    def _verb(self, member: Member, verb: str, body: Mapping[str, Any]) -> Any:
        return self.server(member).verb(verb, {"lot": self.lot, **body})

    def _put(self, server: Server, path: Path) -> dict[str, Any]:
        """Put one file and name it as documents are named."""
        data = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        name = sha256(data).hexdigest()
        server.put("/api/v1/trading/files", data, {"content-type": kind})
        return {"name": path.name, "sha256": name, "size": len(data)}


def _json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))
