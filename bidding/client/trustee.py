"""`tradehall-trustee`: a trustee's program on its own machine (contract: Commands; docs/spec/release.md).

A notary should understand every line it prints: what it waits for, what it said, why it refuses. The decision is
crypto/release.py's alone; no option of this program can make it open earlier or something else.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bidding.client import files, identity, keys, world
from bidding.client import notice as notices
from bidding.client.agent import Agent, Report
from bidding.client.keys import KeyFolder
from bidding.client.server import Server
from crypto import terminal, words
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable

TABLES = ("crypto", "bidding.client")
EVERY_SECONDS = 5.0
EVERY_SECONDS_MIN = 0.2
DID = {
    "ready": ("已声明就绪（READY），尚未放出任何份额", "said READY; no share has left"),
    "released": ("已放出本受托人的份额", "released this trustee's shares"),
    "rests": ("应放出的份额均已放出", "everything that may be released was released"),
    "waits": ("等待", "waits"),
    "refused": ("拒绝开启", "refuses to open"),
}

Arguments = argparse.Namespace
Command = Callable[[Arguments], Mapping[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    arguments = parser().parse_args(given)

    def run(parsed: Arguments) -> Mapping[str, Any]:
        files.check_arguments(given)
        return dict(parsed.run(parsed))

    try:
        return terminal.run(run, arguments, TABLES)
    except KeyboardInterrupt:
        return terminal.DONE


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = terminal.Arguments(prog="tradehall-trustee", description="受托人客户端 / the trustee's program")
    made.add_argument("--server", metavar="URL", required=True, help="交易大厅地址 / address of the hall")
    made.add_argument("--keys", metavar="DIR", required=True, type=Path, help="密钥文件夹 / key folder")
    verbs = made.add_subparsers(required=True, metavar="COMMAND", parser_class=terminal.Arguments)

    def verb(name: str, run: Command, zh: str, en: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=f"{zh} / {en}", description=f"{zh} / {en}")
        added.set_defaults(run=run)
        return added

    enrol = verb("enrol", _enrol, "生成签名密钥和登记卡", "make the signing key and the card to be certified")
    enrol.add_argument("--trustee", metavar="ID", required=True, help="受托人简称 / short id")
    enrol.add_argument("--name", required=True, help="单位名称 / organisation")
    enrol.add_argument("--uscc", required=True, help="统一社会信用代码 / unified social credit code")
    enrol.add_argument("--seat", required=True, choices=sorted(keys.SEATS), help="席位 / seat")
    enrol.add_argument("--group", choices=("operation", "supervision"), help="公证机构须指明 / needed for a notary")
    enrol.add_argument("--trust", type=Path, metavar="FILE", help="trust.json，来自可信渠道 / from a place you trust")
    made_keys = verb("keys", _keys, "生成一批一次性密钥并登记", "make a batch of one-time keys and log it")
    made_keys.add_argument("--count", type=int, metavar="N", required=True, help="1…500")
    verb("drill", _drill, "演练：证明每把密钥可用", "prove that every key still opens")
    watch = verb("watch", _watch, "值守：自动核验、就绪、放出份额", "watch the log, say READY, release")
    watch.add_argument("--once", action="store_true", help="只看一次 / one look")
    watch.add_argument("--every", type=float, default=EVERY_SECONDS, metavar="SECONDS")
    release = verb("release", _release, "对一个标段核验并放出份额", "judge one lot now and release if it may")
    release.add_argument("lot", metavar="LOT")
    return made


def explain(report: Report) -> dict[str, str]:
    """One sentence in each language about what was done with one lot, and why."""
    zh, en = DID[report.did]
    if report.code is None:
        return {"zh": f"{report.lot}：{zh}", "en": f"{report.lot}: {en}"}
    why = report.message or words.tell(Refused(report.code, **_facts(report)), words.load(*TABLES))
    return {"zh": f"{report.lot}：{zh}。{why['zh']}", "en": f"{report.lot}: {en}. {why['en']}"}


def _enrol(arguments: Arguments) -> Mapping[str, Any]:
    identity.bring_trust(arguments.keys, arguments.trust)
    card = keys.enrol(
        arguments.keys,
        trustee=arguments.trustee,
        name=arguments.name,
        uscc=arguments.uscc,
        seat=arguments.seat,
        group=arguments.group,
        entropy=world.entropy,
    )
    at = arguments.keys / "enrolment.json"
    terminal.say(
        arguments,
        f"登记卡已写入 {at}。请交由中心根和监督根分别核对、签名并登记；登记后运行 keys。私钥只在本机，请妥善备份。",
        f"The card is in {at}. Both roots must check, sign and log it; then run keys. The key stays here: back it up.",
    )
    return card


def _keys(arguments: Arguments) -> Mapping[str, Any]:
    folder = _folder(arguments)
    with _server(arguments) as server:
        batch, count = keys.hand_in(server, folder, count=arguments.count, entropy=world.entropy)
    terminal.say(
        arguments,
        f"第 {batch} 批共 {count} 把一次性密钥已登记入账。",
        f"Batch {batch} of {count} one-time keys is logged.",
    )
    return {"trustee": folder.id, "batch": batch, "count": count}


def _drill(arguments: Arguments) -> Mapping[str, Any]:
    folder = _folder(arguments)
    opened = keys.drill(folder, entropy=world.entropy)
    terminal.say(arguments, f"{opened} 把密钥全部可用。", f"All {opened} keys open what is sealed to them.")
    return {"trustee": folder.id, "opened": opened}


def _watch(arguments: Arguments) -> Mapping[str, Any]:
    folder = _folder(arguments)
    with _server(arguments) as server:
        agent = Agent(server, folder)
        told: dict[str, str] = {}
        while True:
            try:
                reports = agent.turn()
            except (Unreachable, Told) as error:
                if arguments.once:
                    raise
                terminal.say(
                    arguments, f"大厅暂不可用，继续等待：{error}", f"the hall is not available, waiting: {error}"
                )
                reports = []
            for report in reports:
                line = explain(report)
                # Said again only when it changes, so that a night's watch is one page.
                if told.get(report.tender_id) != line["zh"]:
                    told[report.tender_id] = line["zh"]
                    terminal.say(arguments, line["zh"], line["en"])
            if arguments.once:
                agent.close()
                return {"trustee": folder.id, "size": agent.log.size, "lots": [_told(each) for each in reports]}
            time.sleep(max(EVERY_SECONDS_MIN, arguments.every))


def _release(arguments: Arguments) -> Mapping[str, Any]:
    folder = _folder(arguments)
    with _server(arguments) as server:
        agent = Agent(server, folder)
        found = [each for each in agent.turn() if each.lot == arguments.lot]
        agent.close()
    if not found:
        raise Refused("not_my_lot", lot=arguments.lot, trustee=folder.id)
    report = found[0]
    line = explain(report)
    if report.did in ("waits", "refused"):
        assert report.code is not None
        print(line[terminal.language(arguments)], file=sys.stderr)
        return {"exit": terminal.REFUSED, "refused": report.code, "rule": None, "message": line}
    terminal.say(arguments, line["zh"], line["en"])
    return _told(report)


def _told(report: Report) -> dict[str, Any]:
    facts = {name: str(value) for name, value in report.facts.items()}
    return {"lot": report.lot, "did": report.did, "code": report.code, "facts": facts, "said": report.said}


def _facts(report: Report) -> dict[str, Any]:
    return {name: value for name, value in report.facts.items() if name not in ("code", "rule")}


def _folder(arguments: Arguments) -> KeyFolder:
    folder = keys.load(arguments.keys)
    line = notices.rehearsal_line(folder.trust)
    if line is not None:
        terminal.say(arguments, *line)
    return folder


@contextmanager
def _server(arguments: Arguments) -> Iterator[Server]:
    server = Server(arguments.server, device="tradehall-trustee")
    try:
        yield server
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
