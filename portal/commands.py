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
from portal import durations, folder, rehearsal, serve, settings
from portal.app import ROOMS
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
    for name in ("data", "hall", "uscc", "region"):
        init.add_argument(f"--{name}", required=True)
    init.set_defaults(run=_init)
    served = verbs.add_parser("serve", help="serve a hall")
    served.add_argument("--data", required=True)
    served.add_argument("--host", default="localhost")
    served.add_argument("--port", type=int, default=8000)
    served.add_argument("--tls-cert")
    served.add_argument("--tls-key")
    served.add_argument("--demo", action="store_true")
    served.set_defaults(run=_serve)
    clock = verbs.add_parser("clock", help="the clock of a rehearsal")
    clock.add_argument("what", choices=("show", "advance"))
    clock.add_argument("by", nargs="?")
    _server(clock)
    clock.set_defaults(run=_clock)
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
    made = folder.create(
        Path(arguments.data),
        name=arguments.hall,
        uscc=arguments.uscc,
        region=arguments.region,
        demo=False,
        entropy=RealWorld().entropy,
    )
    key = str(made.verifier_key())
    terminal.say(
        arguments,
        f"交易大厅已建立:{arguments.data}\n日志公钥:{key}\n"
        "下一步:由中心根、监督根、见证方和证书机构各自登记,写成 trust.json 放入该目录,再运行 tradehall serve。",
        f"The hall is made: {arguments.data}\nlog key: {key}\n"
        "Next: roots, witnesses and authorities enrol; put their trust.json there, then run tradehall serve.",
    )
    return {"data": arguments.data, "log_key": key}


def _serve(arguments: argparse.Namespace) -> Mapping[str, Any]:
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        raise terminal.Unreadable("--tls-cert and --tls-key go together")
    tls = (Path(arguments.tls_cert), Path(arguments.tls_key)) if arguments.tls_cert else None
    asyncio.run(_serve_until_stopped(arguments, tls))
    return {"stopped": True}


async def _serve_until_stopped(arguments: argparse.Namespace, tls: tuple[Path, Path] | None) -> None:
    data, real, given = Path(arguments.data), RealWorld(), settings.read(os.environ)
    if not arguments.demo:
        running = await open_hall(folder.load(data), world=real, settings=given)
    elif (data / "hall.json").exists():
        running, _ = await rehearsal.reopen(data, entropy=real.entropy, settings=given)
    else:
        running, _ = await rehearsal.make(data, EXAMPLE, entropy=real.entropy, flowing=True, settings=given)
    await serve.serve(
        running, host=arguments.host, port=arguments.port, tls=tls, say=lambda text: print(text, flush=True)
    )


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


if __name__ == "__main__":
    sys.exit(main())
