"""The draw and the panel on the stage: three contributors with their own keys, experts with their own accounts.

Who sits on which seat is known to nobody in the hall before sign-in; the stage plays every part, so it may ask the room
whose turn it is. Points come from scores.csv by seat, so that the ranking does not depend on who is drawn.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bidding.client.server import Server
from crypto import contribution, signing
from crypto.roster import Roster
from experts.panel import SeatState
from portal.demo.backstage import Backstage
from portal.demo.script import Step
from portal.demo.stage import Stage
from storage.world import Entropy
from trading.roles import Role

CONTRIBUTORS = {"centre": 1, "supervisor": 2, "owner": 3}
WAITING = frozenset({SeatState.INVITED, SeatState.ACCEPTED})


class Panel:
    """Draw, invitations, review room and report of one performance."""

    def __init__(self, stage: Stage, behind: Backstage, *, entropy: Entropy) -> None:
        self._stage = stage
        self._behind = behind
        self._entropy = entropy
        self._points = _points(stage.example / "scores.csv")
        self._signing_in = False

    def import_register(self) -> None:
        """The centre imports the register; a draw takes it as it stood the day before."""
        stage = self._stage
        data = base64.b64encode((stage.example / "experts.csv").read_bytes()).decode()
        body = {"name": "experts.csv", "data": data}
        told = stage.official(stage.cast.of("centre"), "experts/import_pool", body)["result"]
        stage.narrate(stage.now, f"中心导入专家库 {told['kept']} 名", f"the centre imports {told['kept']} experts")

    def request_draw(self, step: Step) -> None:
        """Publish the pool."""
        stage = self._stage
        stage.official(stage.cast.of(step.part), "experts/request_draw", {"lot": stage.lot})
        stage.narrate(stage.now, "公布专家抽取池(仅有掩码)", "the pool of experts is published, under masks")

    def contribute_to_draw(self, step: Step) -> None:
        """A sealed random number, made and signed on the contributor's own machine."""
        stage = self._stage
        member = stage.cast.of(step.part)
        acts = stage.acts()
        tender, pool = acts[0], next(act for act in reversed(acts) if act["kind"] == "draw_pool")
        signer = stage.cast.signer(member)
        made = contribution.make(
            draw_id=bytes.fromhex(pool["draw_id"]),
            tender_id=bytes.fromhex(tender["tender_id"]),
            contributor=CONTRIBUTORS[step.part],
            roster=Roster.decode(bytes.fromhex(tender["roster"])),
            signer=signer,
            spki=signing.certificate_spki(signer.certificate),
            entropy=self._entropy,
        )
        body = {"lot": stage.lot, "header": base64.b64encode(made.header).decode(), "signature": made.signature.hex()}
        stage.official(member, "experts/contribute_to_draw", body)
        stage.narrate(
            stage.now, f"{member.organisation}提交密封随机数", f"{member.organisation} hands in a sealed random number"
        )

    def run_draw(self, step: Step) -> None:
        """Close the draw; the trustees open it after the freeze."""
        stage = self._stage
        stage.official(stage.cast.of(step.part), "experts/run_draw", {"lot": stage.lot})
        stage.narrate(
            stage.now, "抽取关闭,封存后由受托人共同揭示", "the draw is closed; trustees reveal it after the freeze"
        )

    def answer_invitation(self, step: Step) -> None:
        """The expert now on that seat answers."""
        server = self._server(int(step.number))
        body = {"invitation": self._invitation(server), "accept": step.fields["accept"]}
        if step.fields.get("text"):
            body["text"] = step.fields["text"]["zh"]
        server.verb("experts/answer_invitation", body)
        if not step.fields["accept"]:
            self._stage.narrate(
                self._stage.now,
                f"第 {step.number} 席谢绝邀请,依次递补",
                f"seat {step.number} declines; the next is called",
            )

    def sign_in(self, step: Step) -> None:
        """Every seat signs in; from now on replacements do so as soon as they are invited."""
        self._signing_in = True
        self.attend()
        self._stage.narrate(
            self._stage.now,
            "评标委员会签到并作出两项声明,名单此时方解密",
            "the panel signs in; only now are names unmasked",
        )

    def attend(self) -> bool:
        """Whoever was invited accepts and signs in, once sign-in has begun; True if somebody did."""
        if not self._signing_in:
            return False
        done = False
        for seat, person, state in self._seats():
            if state in WAITING:
                server = self._server(seat, person)
                invitation = self._invitation(server)
                if state is SeatState.INVITED:
                    server.verb("experts/answer_invitation", {"invitation": invitation, "accept": True})
                server.verb("experts/sign_in", {"invitation": invitation, "no_interest": True, "discipline": True})
                done = True
        return done

    def recuse(self, step: Step) -> None:
        """A member found a conflict of its own."""
        server = self._server(int(step.number))
        server.verb("experts/recuse", {"lot": self._stage.lot, "text": step.fields["text"]["zh"]})
        self._stage.narrate(
            self._stage.now,
            f"第 {step.number} 席专家申请回避,依次递补",
            f"seat {step.number} withdraws for a conflict; the next takes it",
        )

    def lock_sheet(self, step: Step) -> None:
        """Every seat fills its sheet and locks it."""
        numbers = self._bids()
        for seat, person, _ in self._seats():
            server = self._server(seat, person)
            revision = server.get(f"/api/v1/lots/{self._stage.lot}/room")["sheet"]["revision"]
            marks = [
                {"bid": bid, "item": item, "points": points}
                for bid, number in numbers.items()
                for item, points in self._points[seat, number].items()
            ]
            server.verb("experts/save_sheet", {"lot": self._stage.lot, "revision": revision, "marks": marks})
            server.verb("experts/lock_sheet", {"lot": self._stage.lot})
        self._stage.narrate(
            self._stage.now, "五份评分表各自锁定,先承诺、后公开", "all sheets are locked: committed first, shown after"
        )

    def sign_report(self, step: Step) -> None:
        """One seat (with a dissent, if it has one), or all that have not signed yet."""
        lot = self._stage.lot
        if step.part == "seat":
            body: dict[str, Any] = {"lot": lot}
            if step.fields.get("dissent"):
                body["dissent"] = step.fields["dissent"]["zh"]
            self._server(int(step.number)).verb("experts/sign_report", body)
            self._stage.narrate(
                self._stage.now, f"第 {step.number} 席附书面不同意见", f"seat {step.number} dissents in writing"
            )
            return
        for seat, person, _ in self._seats():
            server = self._server(seat, person)
            report = server.get(f"/api/v1/lots/{lot}/room")["report"]
            if report is not None and seat not in report["signed"]:
                server.verb("experts/sign_report", {"lot": lot})
        self._stage.narrate(self._stage.now, "评标报告签署完毕", "the report is signed")

    def _bids(self) -> Mapping[str, str]:
        """bid id → bidder's number, over the opening record."""
        stage = self._stage
        by_uscc = {member.uscc: member.part.partition(":")[2] for member in stage.cast.members if ":" in member.part}
        record = Server(stage.url).get(f"/api/v1/lots/{stage.lot}/opening")["record"]
        return {row["bid"]: by_uscc[row["bidder"]["uscc"]] for row in record}

    def _seats(self) -> list[tuple[int, str, SeatState]]:
        """(seat, person, state) of everybody who holds a seat now."""
        return self._behind.seats(self._stage.lot)

    def _server(self, seat: int, person: str | None = None) -> Server:
        holder = person or next(who for number, who, _ in self._seats() if number == seat)
        return Server(self._stage.address(Role.EXPERT), token=self._stage.tokens[holder], device="review room")

    @staticmethod
    def _invitation(server: Server) -> str:
        """The newest invitation that still stands."""
        told = server.get("/api/v1/experts/own")
        return str(next(one["invitation"] for one in told if one["state"] != "over"))


def _points(path: Path) -> dict[tuple[int, str], dict[str, str]]:
    """scores.csv by (seat, bidder): item → points."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((int(row["seat"]), row["bidder"]), {})[row["item"]] = row["points"]
    return found
