"""`tradehall`: make a hall, serve it, rehearse, move a rehearsal's clock (contract: Commands)."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bidding.client.server import Server
from crypto import terminal
from portal import backing_up, durations, folder, roots, serve, settings, sim
from portal.demo import play as demo
from portal.demo import rehearsal
from portal.first_run import book as books
from portal.first_run import doorway
from portal.practice import serving as practice
from portal.processes import commands as processes
from portal.rooms import ROOMS
from portal.running import open_hall
from storage.world import RealWorld

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "road-maintenance"
DEFAULT_SERVER = "http://localhost:8000"

Run = Callable[[argparse.Namespace], Mapping[str, Any]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    run: Run = arguments.run
    return terminal.run(run, arguments, ROOMS)


def _parser() -> argparse.ArgumentParser:
    parser = terminal.Arguments(prog="tradehall", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=terminal.Arguments)
    init = verbs.add_parser("init", help="make a real hall: no demo accounts, no demo keys")
    init.add_argument("--data", required=True)
    for name in ("hall", "uscc", "region"):
        init.add_argument(f"--{name}", default="", help="may be given later, on the first-run page")
    init.set_defaults(run=_init)
    served = verbs.add_parser("serve", help="serve a hall")
    served.add_argument("--data", required=True)
    served.add_argument("--host", default="localhost")
    served.add_argument("--port", type=int, default=8000)
    served.add_argument("--tls-cert")
    served.add_argument("--tls-key")
    served.add_argument("--demo", action="store_true")
    served.set_defaults(run=_serve)
    practised = verbs.add_parser("practice", help="a practice hall: its tender always open, bids opened in a minute")
    practised.add_argument("--data", required=True)
    practised.add_argument("--port", type=int, default=8001)
    practised.set_defaults(run=_practice)
    clock = verbs.add_parser("clock", help="the clock of a rehearsal")
    clock.add_argument("what", choices=("show", "advance"))
    clock.add_argument("by", nargs="?")
    _server(clock)
    clock.set_defaults(run=_clock)
    demo = verbs.add_parser("demo", help="play one whole tender from a folder, verify it, forge it")
    demo.add_argument("--input", default=str(EXAMPLE))
    demo.add_argument("--out", default="build/demo")
    demo.add_argument("--seed", type=int, default=1)
    demo.set_defaults(run=_demo)
    sim.arguments(verbs.add_parser("sim", help="simulate whole tenders with adversaries, checking every invariant"))
    bundle = verbs.add_parser("bundle", help="download everything from which a stranger judges a tender")
    bundle.add_argument("lot")
    bundle.add_argument("--view", choices=("public", "full"), default="public")
    bundle.add_argument("-o", "--out", required=True)
    _server(bundle)
    bundle.set_defaults(run=_bundle)
    kept = verbs.add_parser("backup", help="one file with everything of a hall, which may be running")
    kept.add_argument("--data", required=True)
    kept.add_argument("-o", "--out", required=True)
    kept.set_defaults(run=_backup)
    restored = verbs.add_parser("restore", help="a hall's folder from a backup file")
    restored.add_argument("file")
    restored.add_argument("--data", required=True)
    restored.set_defaults(run=_restore)
    roots.arguments(verbs.add_parser("root", help="a root's own machine: make its key, certify keys and trustees"))
    processes.arguments(verbs)
    return parser


def _server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", default=DEFAULT_SERVER)
    parser.add_argument("--token-file")


def server_of(arguments: argparse.Namespace) -> Server:
    """The hall that --server names, asked with --token-file or TRADEHALL_TOKEN."""
    token = os.environ.get("TRADEHALL_TOKEN")
    if arguments.token_file:
        token = Path(arguments.token_file).read_text("utf-8").strip()
    return Server(arguments.server, token=token, device="tradehall")


def _init(arguments: argparse.Namespace) -> Mapping[str, Any]:
    book, secrets = books.begin(
        Path(arguments.data),
        hall=arguments.hall,
        uscc=arguments.uscc,
        region=arguments.region,
        entropy=RealWorld().entropy,
    )
    terminal.say(arguments, f"交易大厅已建立:{arguments.data}", f"The hall is made: {arguments.data}")
    made: dict[str, Any] = {"data": arguments.data, "first_run": secrets}
    if book.hall and book.uscc and book.region:
        made["log_key"] = str(folder.load(Path(arguments.data)).verifier_key())
        terminal.say(arguments, f"日志公钥:{made['log_key']}", f"log key: {made['log_key']}")
    _hand_out(arguments, secrets)
    return made


def _hand_out(arguments: argparse.Namespace, secrets: Mapping[books.Side, str]) -> None:
    """Show each side its own one-time secret; at a terminal one after the other, so that nobody need see both."""
    sides: dict[books.Side, tuple[str, str]] = {
        "centre": ("交易中心一方", "the centre's"),
        "supervision": ("监督一方", "the supervision's"),
    }
    alone = sys.stdin.isatty() and sys.stdout.isatty()
    for side, (zh, en) in sides.items():
        terminal.say(
            arguments,
            f"{zh}管理员的一次性口令:{secrets[side]}",
            f"one-time secret of {en} administrator: {secrets[side]}",
        )
        if alone:
            terminal.say(arguments, "请本人抄下,按回车清屏", "That person writes it down; Enter clears the screen")
            sys.stdin.readline()
            print("\033[2J\033[3J\033[H", end="", flush=True)
    terminal.say(
        arguments,
        "口令不再显示。下一步:运行 tradehall serve,两名管理员各自打开 /first-run。",
        "The secrets are not shown again. Next: run tradehall serve; each administrator opens /first-run.",
    )


def _serve(arguments: argparse.Namespace) -> Mapping[str, Any]:
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        raise terminal.Unreadable("--tls-cert and --tls-key go together")
    tls = (Path(arguments.tls_cert), Path(arguments.tls_key)) if arguments.tls_cert else None
    serve.check_tls(arguments.host, tls=tls is not None, demo=arguments.demo)
    asyncio.run(_serve_until_stopped(arguments, tls))
    return {"stopped": True}


async def _serve_until_stopped(arguments: argparse.Namespace, tls: tuple[Path, Path] | None) -> None:
    data, real, given = Path(arguments.data), RealWorld(), settings.read(os.environ)
    cast = None
    fresh = not (data / "hall.json").exists()
    if not arguments.demo and books.begun(data) and not books.load(data).done:
        await _first_run(arguments, tls)
        return
    if not arguments.demo:
        running = await open_hall(folder.load(data), world=real, settings=given)
    elif fresh:
        running, cast = await rehearsal.make(data, EXAMPLE, entropy=real.entropy, flowing=True, settings=given)
    else:
        running, cast = await rehearsal.reopen(data, entropy=real.entropy, settings=given)
    async with serve.serving(running, host=arguments.host, port=arguments.port, tls=tls) as address:
        watching = None
        if cast is not None:
            watching = await asyncio.to_thread(
                rehearsal.begin, cast, EXAMPLE, address, entropy=real.entropy, fresh=fresh
            )
        print(f"ready {address}", flush=True)
        await serve.until_signal()
        if watching is not None:
            await asyncio.to_thread(watching.stop)


def _practice(arguments: argparse.Namespace) -> Mapping[str, Any]:
    with practice.serving(Path(arguments.data), EXAMPLE, port=arguments.port) as (address, _):
        print(f"ready {address}", flush=True)
        practice.until_signal()
    return {"stopped": True}


async def _first_run(arguments: argparse.Namespace, tls: tuple[Path, Path] | None) -> None:
    """Serve a hall that is being set up; it goes on as a hall when both administrators have ended the first run."""
    given = settings.read(os.environ)
    made = doorway.serving(
        Path(arguments.data), world=RealWorld(), given=given, host=arguments.host, port=arguments.port, tls=tls
    )
    async with made as (address, _):
        terminal.say(arguments, f"首次运行:{address}/first-run", f"first run: {address}/en/first-run")
        print(f"ready {address}", flush=True)
        await serve.until_signal()


def _clock(arguments: argparse.Namespace) -> Mapping[str, Any]:
    server = server_of(arguments)
    if arguments.what == "show":
        told = server.get("/api/v1/demo/clock")
    else:
        if not arguments.by:
            raise terminal.Unreadable("clock advance needs a duration, for example 20d")
        told = server.post("/api/v1/demo/clock", {"advance": durations.iso(durations.parse(arguments.by))})
    terminal.say(arguments, f"大厅时间 {told['now']}", f"hall time {told['now']}")
    return dict(told)


def _demo(arguments: argparse.Namespace) -> Mapping[str, Any]:
    def tell(zh: str, en: str) -> None:
        print(f"{zh}\n    {en}", flush=True)

    out = Path(arguments.out)
    report = demo.run(Path(arguments.input), out, seed=arguments.seed, tell=tell)
    good = report["verify"]["exit"] == 0 and all(
        one["exit"] == 1 and one["found_check"] == one["expected_check"] for one in report["forgeries"]
    )
    for check in report["verify"]["checks"]:
        print(f"  {check['id']} {check['name']}: {check['result']}")
    for one in report["forgeries"]:
        print(f"  {one['file']}: exit {one['exit']}, check {one['found_check']}, {one['culprit']}")
    print(f"\n卷宗 bundle  {out}/bundle.zip\n报告 report  {out}/report.html\n接下来 now try: make serve", flush=True)
    return {"out": str(out), "lot": report["lot"], "seconds": report["seconds"], "exit": 0 if good else 1}


def _bundle(arguments: argparse.Namespace) -> Mapping[str, Any]:
    server, out = server_of(arguments), Path(arguments.out)
    beside = out.with_name(out.name + ".part")
    try:
        path = f"/api/v1/lots/{arguments.lot}/bundle?view={arguments.view}"
        with server.stream(path) as pieces, beside.open("wb") as file:
            file.writelines(pieces)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    terminal.say(arguments, f"卷宗已存入 {out}", f"the bundle is in {out}")
    return {"file": str(out), "view": arguments.view}


def _backup(arguments: argparse.Namespace) -> Mapping[str, Any]:
    made = asyncio.run(backing_up.backup(Path(arguments.data), Path(arguments.out), given=settings.read(os.environ)))
    terminal.say(arguments, f"备份已写入 {arguments.out}", f"the backup is in {arguments.out}")
    return {"file": arguments.out, "ledger_size": made.ledger_size}


def _restore(arguments: argparse.Namespace) -> Mapping[str, Any]:
    made = asyncio.run(backing_up.restore(Path(arguments.file), Path(arguments.data), given=settings.read(os.environ)))
    terminal.say(arguments, f"已恢复到 {arguments.data}", f"restored into {arguments.data}")
    return {"data": arguments.data, "ledger_size": made.ledger_size}


if __name__ == "__main__":
    sys.exit(main())
