"""`tradehall-bidder`: everything a bidder does, on the bidder's own machine (contract: Commands).

Reading and judging is done here and not at the hall: the notice and its roster are proved from the whole ledger and
trust.json, the bid is checked and sealed offline, and a receipt counts only after this program verified it. The hall
never gets a key, a passphrase or a byte of a bid that it could read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from bidding.client import (
    bidfile,
    contributing,
    files,
    identity,
    ledger,
    lotfolder,
    preparing,
    progress,
    recovering,
    sealing,
    standing,
    submitting,
    world,
)
from bidding.client import notice as notices
from bidding.client.identity import Identity
from bidding.client.preparing import Prepared
from bidding.client.server import Server
from bidding.client.submitting import Handed
from crypto import amount, terminal, words
from crypto.opening import ceremony
from crypto.refusal import Refused
from crypto.sealing import recovery
from crypto.terminal import Unreachable

TABLES = ("crypto", "bidding.client")
Arguments = argparse.Namespace
Command = Callable[[Arguments], Mapping[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    arguments = parser().parse_args(given)

    def run(parsed: Arguments) -> Mapping[str, Any]:
        files.check_arguments(given)
        return dict(parsed.run(parsed))

    return terminal.run(run, arguments, TABLES)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = terminal.Arguments(prog="tradehall-bidder", description="投标人客户端 / the bidder's program")
    made.add_argument("--server", metavar="URL", help="交易大厅地址 / address of the hall")
    made.add_argument("--identity", metavar="DIR", required=True, type=Path, help="身份文件夹 / identity folder")
    verbs = made.add_subparsers(required=True, metavar="COMMAND", parser_class=terminal.Arguments)

    def verb(name: str, run: Command, zh: str, en: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=f"{zh} / {en}", description=f"{zh} / {en}")
        added.set_defaults(run=run)
        return added

    enrol = verb("enrol", _enrol, "登记：生成密钥，取得证书和令牌", "make a key, get certificate and token")
    enrol.add_argument("--name", help="单位名称，与证书一致 / organisation's name, as in the certificate")
    enrol.add_argument("--uscc", help="统一社会信用代码 / unified social credit code")
    enrol.add_argument(
        "--certificate", type=Path, metavar="FILE", help="已有证书 / certificate of a licensed authority"
    )
    enrol.add_argument("--trust", type=Path, metavar="FILE", help="trust.json，来自可信渠道 / from a place you trust")
    verb("tenders", _tenders, "列出公告", "list the published lots").add_argument("-q", default="", metavar="TEXT")
    fetch = verb("fetch", _fetch, "下载一个标段的文件并核验公告", "fetch a lot's documents and prove its notice")
    fetch.add_argument("lot", metavar="LOT")
    fetch.add_argument("folder", metavar="DIR", type=Path)
    check = verb("check", _check, "对照招标要求检查投标文件", "check a bid against the tender's requirements")
    check.add_argument("folder", metavar="DIR", type=Path)
    seal = verb("seal", _seal, "封标：加密并自检", "seal: encrypt and test")
    seal.add_argument("folder", metavar="DIR", type=Path)
    seal.add_argument("-o", dest="out", metavar="F.bid", type=Path, required=True)
    seal.add_argument("--version", type=int, metavar="N", help="版本号，默认为已知最高版本加一 / default: highest + 1")
    _passphrase(seal)
    submit = verb("submit", _submit, "上传并递交；中断后重新运行即可续传", "upload and hand in; run again after a cut")
    submit.add_argument("bid", metavar="F.bid", type=Path)
    receipt = verb("receipt", _receipt, "取最新回执并核验", "fetch the newest receipt and verify it")
    receipt.add_argument("bid", metavar="F.bid", type=Path)
    receipt.add_argument("-o", dest="out", metavar="F.receipt", type=Path, required=True)
    verb("status", _status, "标段与本单位投标的状态", "where the lot and the own bids stand").add_argument(
        "lot", metavar="LOT"
    )
    withdraw = verb("withdraw", _withdraw, "撤回投标（不可恢复）", "withdraw a bid, for ever")
    withdraw.add_argument("lot", metavar="LOT")
    withdraw.add_argument("--version", type=int, metavar="N", help="撤回至此版本 / all versions up to this one")
    recover = verb("recover", _recover, "用恢复文件打开自己的投标", "open the own bid with its recovery file")
    recover.add_argument("file", metavar="F", type=Path, help="F.bid 或 F.recovery / F.bid or F.recovery")
    recover.add_argument("--to", metavar="DIR", type=Path, required=True)
    _passphrase(recover)
    disclose = verb("disclose", _disclose, "受托人申诉后披露密钥", "disclose the secrets that a trustee complained of")
    disclose.add_argument("file", metavar="F", type=Path, help="F.recovery")
    _passphrase(disclose)
    sign = verb("sign", identity.run_sign, "签署网页给出的文书", "sign an act that a page of the hall showed")
    sign.add_argument("act", metavar="act.json", type=Path)
    sign.add_argument("-o", dest="out", metavar="signed.json", type=Path, required=True)
    give = verb("contribute", _contribute, "为专家抽取出密封随机数", "make a sealed number for the panel's draw")
    give.add_argument("lot", metavar="LOT")
    give.add_argument("-o", dest="out", metavar="contribution.json", type=Path, required=True)
    present = verb("present", _present, "开标名单漏列时出示回执", "present the receipt of a bid that was left out")
    present.add_argument("lot", metavar="LOT")
    return made


def _passphrase(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help=f"口令文件，或环境变量 / or {sealing.PASSPHRASE_VARIABLE}"
    )


def _enrol(arguments: Arguments) -> Mapping[str, Any]:
    identity.bring_trust(arguments.identity, arguments.trust)
    with _server(arguments, None) as server:
        me = identity.enrol(
            server,
            arguments.identity,
            name=arguments.name,
            uscc=arguments.uscc,
            certificate=identity.read_certificate(arguments.certificate) if arguments.certificate else None,
            now=_now(server, identity.load_trust(arguments.identity).rehearsal),
            entropy=world.entropy,
        )
    bidder = me.bidder
    terminal.say(
        arguments,
        f"已登记：{bidder.name}（{bidder.uscc}）。请备份 {me.folder}，丢失私钥就无法再以本单位名义投标。",
        f"Enrolled: {bidder.name} ({bidder.uscc}). Back up {me.folder}: without its key you cannot bid.",
    )
    return {"name": bidder.name, "uscc": bidder.uscc, "trust": me.trust.fingerprint}


def _tenders(arguments: Arguments) -> Mapping[str, Any]:
    with _server(arguments, None) as server:
        rows = server.get("/api/v1/lots", q=arguments.q)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused("answer_unexpected", verb="lots")
    for row in rows:
        line = f"{row.get('lot')}  {row.get('deadline')}  {row.get('state')}  {row.get('name')}"
        terminal.say(arguments, line, line)
    return {"lots": rows}


def _fetch(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    with _server(arguments, me) as server:
        notice = lotfolder.fetch(server, me, arguments.lot, arguments.folder)
    deadline = notices.text(notice.view.deadlines.deadline)
    terminal.say(
        arguments,
        f"公告、名册和文件均已核验。截止时间 {deadline}（UTC）。请填写 {arguments.folder / 'bid.json'}，"
        f"把文件放入 {arguments.folder / preparing.FOLDER}，再运行 check。",
        f"Notice, roster and documents are proved. Deadline {deadline} (UTC). Fill in "
        f"{arguments.folder / 'bid.json'}, put the files into {arguments.folder / preparing.FOLDER}, then run check.",
    )
    return {"lot": notice.lot, "deadline": deadline, "documents": [str(row["name"]) for row in notice.documents]}


def _check(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    card = lotfolder.card_of(arguments.folder)
    document = files.read_json(arguments.folder / lotfolder.TERMS, bytes_max=lotfolder.OBJECT_BYTES_MAX)
    prepared = preparing.check(arguments.folder, document, me.bidder)
    return {"lot": card["lot"], **_checklist(arguments, prepared)}


def _seal(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    passphrase = sealing.passphrase_of(arguments.passphrase_file, os.environ)
    with _server(arguments, me) as server:
        log = lotfolder.newest_log(server, me, lambda zh, en: terminal.say(arguments, zh, en))
        notice = lotfolder.proved(arguments.folder, log, me.trust, clarified=True)
        version = arguments.version or standing.next_version(server, me, notice.lot)
    if not 1 <= version < 2**32:
        raise Refused("version", version=version)
    prepared = preparing.check(arguments.folder, notice.document, me.bidder)
    told = _checklist(arguments, prepared)
    if prepared.problems:
        return told
    with progress.bar(arguments, "封标 / sealing", sealing.work_bytes(prepared)) as moved:
        bid = sealing.seal(
            prepared,
            notice,
            me,
            out=arguments.out,
            version=version,
            passphrase=passphrase,
            entropy=world.entropy,
            moved=moved,
        )
    standing.remember(me, bid, Handed("sealed"))
    beside = sealing.recovery_path(arguments.out)
    terminal.say(
        arguments,
        f"已封标（第 {version} 版），并已自行拆封核对无误。\n  投标文件 {arguments.out}\n  恢复文件 {beside}"
        "（请另存一份；没有它和口令，谁也不能替您打开）\n尚未递交：请运行 submit。",
        f"Sealed (version {version}) and test-opened.\n  bid {arguments.out}\n  recovery file {beside} (keep a copy)\n"
        "Not handed in yet: run submit.",
    )
    return {
        "lot": bid.lot,
        "version": version,
        "bid": bid.bid_id.hex(),
        "d": bid.digest.hex(),
        "file": str(arguments.out),
        "recovery": str(beside),
        "stage": "sealed",
    }


def _submit(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    bid = bidfile.read(arguments.bid)
    total = sum(each.size for each in bid.envelopes)
    with _server(arguments, me) as server, progress.bar(arguments, "上传 / uploading", total) as moved:
        handed = submitting.submit(server, arguments.bid, me.trust, moved=moved)
    standing.remember(me, bid, handed)
    return _told_handed(arguments, bid.lot, bid.version, handed)


def _receipt(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    bid = bidfile.read(arguments.bid)
    with _server(arguments, me) as server:
        handed = standing.newest_receipt(server, me, bid)
    if handed.receipt is None:
        raise Unreachable("回执尚未生成，请稍后再试 / not sequenced yet, try again")
    files.write(arguments.out, handed.receipt)
    return {**_told_handed(arguments, bid.lot, bid.version, handed), "file": str(arguments.out)}


def _status(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    standing.check_lot(arguments.lot)
    with _server(arguments, me) as server:
        told = standing.status(server, me, arguments.lot)
    terminal.say(arguments, f"截止时间 {told['deadline']}（UTC）", f"deadline {told['deadline']} (UTC)")
    for name, zh, en in (
        ("held", "程序已暂停（异议或指令）", "on hold"),
        ("suspended", "监督部门已责令中止", "suspended"),
    ):
        if told[name]:
            terminal.say(arguments, zh, en)
    for row in told["bids"]:
        zh, en = standing.STAGES.get(row["stage"], (row["stage"], row["stage"]))
        terminal.say(arguments, f"第 {row['version']} 版：{zh}", f"version {row['version']}: {en}")
    for version in told["left_out"]:
        terminal.say(
            arguments,
            f"第 {version} 版有回执，却不在开标名单中！请立即运行 present {arguments.lot}，并把回执交给任一受托人。",
            f"Version {version} has a receipt and is NOT in the freeze list! Run present {arguments.lot} at once.",
        )
    return told


def _withdraw(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    standing.check_lot(arguments.lot)
    with _server(arguments, me) as server:
        told = standing.withdraw(server, me, arguments.lot, version=arguments.version)
    zh, en = standing.STAGES[told["stage"]]
    version = told["version"]
    terminal.say(arguments, f"第 {version} 版及以前各版：{zh}", f"version {version} and all before it: {en}")
    return told


def _recover(arguments: Arguments) -> Mapping[str, Any]:
    passphrase = sealing.passphrase_of(arguments.passphrase_file, os.environ)
    bid = recovering.recover(arguments.file, arguments.to, passphrase=passphrase)
    terminal.say(
        arguments,
        f"已打开第 {bid.version} 版，所有核对通过：{arguments.to}",
        f"Version {bid.version} opened, every check passed: {arguments.to}",
    )
    return {"lot": bid.lot, "version": bid.version, "bid": bid.bid_id.hex(), "to": str(arguments.to)}


def _disclose(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    passphrase = sealing.passphrase_of(arguments.passphrase_file, os.environ)
    at, _ = recovering.pair(arguments.file)
    kept = recovery.read(files.read(at, bytes_max=recovery.FILE_BYTES_MAX), passphrase)
    with _server(arguments, me) as server:
        log = ledger.own_copy(server, me.folder, me.trust)
        notice, _, _ = notices.fetch(server, log, kept.lot, me.trust)
        done = recovering.disclose(server, me, notice, kept, entropy=world.entropy)
    terminal.say(
        arguments,
        f"已披露 {len(done)} 个信封的密钥（只封给开标室和监督核验方）。",
        f"Disclosed the secrets of {len(done)} envelope(s), sealed to the opening room and the verifier alone.",
    )
    return {"lot": kept.lot, "disclosed": done}


def _present(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    standing.check_lot(arguments.lot)
    with _server(arguments, me) as server:
        told = standing.present(server, me, arguments.lot)
    count = len(told["presented"])
    terminal.say(arguments, f"已出示 {count} 份回执", f"presented {count} receipt(s)")
    return told


def _contribute(arguments: Arguments) -> Mapping[str, Any]:
    me = _identity(arguments)
    with _server(arguments, me) as server:
        return contributing.run(server, me, arguments, entropy=world.entropy)


def _checklist(arguments: Arguments, prepared: Prepared) -> dict[str, Any]:
    """Print the checklist; the answer ends with 1 when something forbids sealing."""
    marks = {"ok": "✓", "missing": "✗", "wrong_envelope": "✗", "optional": "–"}
    for item in prepared.items:
        line = f"{marks[item.state]} {item.code} {item.name}: {item.file}"
        terminal.say(arguments, line, line)
    if prepared.opening is not None:
        price = prepared.opening.price_fen
        yuan = f"{price // 100:,}.{price % 100:02d}"
        terminal.say(arguments, f"报价 {yuan} 元（{amount.words(price)}）", f"price {yuan} yuan")
    table = words.load(*TABLES)
    findings = {
        "problems": [{"refused": each.code, "message": words.tell(each, table)} for each in prepared.problems],
        "warnings": [{"refused": each.code, "message": words.tell(each, table)} for each in prepared.warnings],
    }
    for mark_zh, mark_en, name in (("错误", "wrong", "problems"), ("提示", "note", "warnings")):
        for row in findings[name]:
            message: Any = row["message"]
            terminal.say(arguments, f"{mark_zh}：{message['zh']}", f"{mark_en}: {message['en']}")
    told: dict[str, Any] = {"items": [asdict(each) for each in prepared.items], **findings}
    if prepared.problems:
        refused = Refused("bid_not_ready", problems=len(prepared.problems))
        message = words.tell(refused, table)
        print(message[terminal.language(arguments)], file=sys.stderr)
        told |= {"exit": terminal.REFUSED, "refused": refused.code, "rule": None, "message": message}
    else:
        terminal.say(arguments, "检查通过，可以封标。", "The check found nothing that forbids sealing.")
    return told


def _told_handed(arguments: Arguments, lot: str, version: int, handed: Handed) -> dict[str, Any]:
    zh, en = standing.STAGES[handed.stage]
    proved = handed.proved
    at = None
    if proved is not None:
        at = proved.event["public"]["at"]
        if proved.rehearsal:
            terminal.say(arguments, "【演练】", "REHEARSAL")
        terminal.say(
            arguments,
            f"大厅收到时间 {at}（UTC），回执已在本机核验。",
            f"received at {at} (UTC); receipt verified here.",
        )
    terminal.say(arguments, f"第 {version} 版：{zh}", f"version {version}: {en}")
    told = {"lot": lot, "version": version, "stage": handed.stage, "event": handed.event, "received_at": at}
    return {**told, "grade": proved and proved.grade, "index": proved and proved.index}


def _identity(arguments: Arguments) -> Identity:
    me = identity.load(arguments.identity)
    line = notices.rehearsal_line(me.trust)
    if line is not None:
        terminal.say(arguments, *line)
    return me


@contextmanager
def _server(arguments: Arguments, me: Identity | None) -> Iterator[Server]:
    if not arguments.server:
        raise terminal.Unreadable("--server URL：缺少大厅地址 / the address of the hall is missing")
    server = Server(arguments.server, token=me.token if me else None, device="tradehall-bidder")
    try:
        yield server
    finally:
        server.close()


def _now(server: Server, rehearsal: bool) -> datetime:
    """The own clock; the hall's in a rehearsal, and only there."""
    return ceremony.instant(server.now()) if rehearsal else world.now()


if __name__ == "__main__":
    sys.exit(main())
