"""Which address goes to which process: one table, from which the reverse proxy's configuration is written.

Every kind of visitor has an entry of its own (a host name in production, a port on loopback), so that a bidder's
request never meets the owners' process, and a page of one door is never of the same origin as another door's. Each
entry serves its own door's API, pages, accounts, scripts and styles; a page of another door leads to that door's entry;
what no door claims is public. docker-compose.yml, `make production-local` and the tests run what `nginx` writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from portal.doors import DOORS

ENTRIES: Mapping[str, Sequence[str]] = {
    "public": (),
    "desk": (
        r"^/api/v1/(trading|bidding|experts)/",
        r"^/api/v1/inbox$",
        r"^/api/v1/lots/[^/]+/(objections|questions)$",
    ),
    "centre": (r"^/api/v1/(trading|experts)/", r"^/api/v1/inbox$"),
    "bidders": (
        r"^/api/v1/(trading|bidding|experts)/",
        r"^/api/v1/inbox$",
        r"^/api/v1/lots/[^/]+/(objections|questions)$",
        r"^/sealing/",
    ),
    "trustees": (r"^/api/v1/bidding/",),
    "experts": (r"^/api/v1/experts/", r"^/api/v1/inbox$", r"^/api/v1/lots/[^/]+/room$"),
    "watch": (r"^/api/v1/(supervision|experts)/", r"^/api/v1/inbox$", r"^/api/v1/lots/[^/]+/trail$"),
}
"""The entries, and the addresses that each entry's own door serves besides its pages."""

EVERYWHERE: Sequence[tuple[str, str]] = (
    ("opening", r"^/api/v1/bidding/read$"),
    ("watch", r"^/api/v1/lots/[^/]+/bundle$"),
    ("experts", r"^/api/v1/lots/[^/]+/table$"),
    ("bidders", r"^/api/v1/bidding/lots/[^/]+/(stage|evidence)$"),
    ("centre", r"^/api/v1/certification$"),
    ("trustees", r"^(/en)?/trustees(/|$)"),
)
"""Addresses that one process serves at every entry."""
CLOCK = ("clockwork-operation", r"^/api/v1/demo/clock$")
"""A rehearsal's clock."""
READERS = ("desk", "experts", "watch")
"""Entries at which the opening room shows opened bids."""
SIGNING_UP = "bidders"
"""The entry of whoever has no account yet."""

BODY_BYTES_MAX = "300m"
HTML = 'default_type "text/html; charset=utf-8";'
HSTS_SECONDS = 31_536_000
TOO_LARGE = (
    413,
    "body_too_large",
    "提交的内容超过 300 MiB。请减小文件后再提交。",
    "What was sent is larger than 300 MiB. Make the files smaller and send them again.",
)
AWAY = (
    503,
    "busy_try_again",
    "这一栏目的系统正在重新启动或繁忙,请稍后再试。已经收到回执的内容不会丢失。",
    "This door is starting again or busy: try again in a moment. Nothing that has a receipt is lost.",
)
"""What the proxy itself says, in words: status, code, Chinese, English."""


def upstream(process: str) -> str:
    """The name of a process's upstream in the proxy's configuration."""
    return process.replace("-", "_")


def own(entry: str) -> list[str]:
    """The addresses of an entry's own door: its API, its pages, its accounts, its scripts and styles."""
    pages = [f"^(/en)?/{DOORS[entry]}(/|$)", "^(/en)?/account(/|$)"] if entry in DOORS else []
    return [*ENTRIES[entry], *pages, *(["^/static/"] if entry in DOORS else [])]


def nginx(
    upstreams: Mapping[str, Sequence[str]],
    entries: Mapping[str, str],
    *,
    addresses: Mapping[str, str],
    tls: tuple[str, str] | None,
    rehearsal: bool,
) -> str:
    """The `http` block of an nginx: `upstreams` host:port by process, `entries` what each entry listens on (the text
    after `listen`), `addresses` under which visitors reach each entry, `tls` certificate and key for what ends in
    ` ssl`."""
    lines = ["server_tokens off;", f"client_max_body_size {BODY_BYTES_MAX};", "access_log off;"]
    lines += [
        "proxy_http_version 1.1;",
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "keepalive_timeout 65;",
    ]
    lines += ["proxy_read_timeout 120s;", "proxy_connect_timeout 3s;"]
    lines += ["proxy_set_header Host $http_host;", "proxy_set_header X-Real-IP $remote_addr;"]
    # What a visitor says of itself under these names is overwritten: doors believe the proxy alone.
    lines += ["proxy_set_header X-Forwarded-For $remote_addr;", "proxy_set_header X-Forwarded-Proto $scheme;"]
    lines += ['proxy_set_header Forwarded "";']
    lines += ['proxy_set_header Connection "";', "proxy_set_header X-Request-Id $request_id;"]
    lines += [f'map $https $strictly {{ on "max-age={HSTS_SECONDS}"; default ""; }}']
    lines += ["add_header Strict-Transport-Security $strictly always;"]
    if tls is not None:
        lines += [f"ssl_certificate {tls[0]};", f"ssl_certificate_key {tls[1]};", "ssl_protocols TLSv1.3;"]
    for process, servers in upstreams.items():
        inside = " ".join(f"server {each} max_fails=1 fail_timeout=2s;" for each in servers)
        lines.append(f"upstream {upstream(process)} {{ least_conn; {inside} keepalive 16; }}")
    lines += [_elsewhere(entry, entries, addresses) for entry in entries]
    everywhere = [*EVERYWHERE, *([CLOCK] if rehearsal else [])]
    for entry, listen in entries.items():
        places = [_place(process, address) for process, address in everywhere if process in upstreams]
        places += _pages(entry, entries, addresses, upstreams)
        places += [_place(entry, address) for address in own(entry)]
        places.append(_place("public", "^/api/"))
        places.append(f"location / {{ proxy_pass http://{upstream('public')}; }}")
        listens = "".join(f"listen {each}; " for each in listen.split(","))
        lines.append(f"server {{ {listens}{_said()} " + " ".join(places) + " }")
    return "\n".join(lines) + "\n"


def _elsewhere(entry: str, entries: Mapping[str, str], addresses: Mapping[str, str]) -> str:
    """The address of the entry at which `?door=` signs in, '' where it is this one."""
    told = "".join(f'{DOORS[other]} "{addresses[other]}"; ' for other in entries if other in DOORS and other != entry)
    return f'map $arg_door $elsewhere_of_{upstream(entry)} {{ {told}default ""; }}'


def _pages(
    entry: str, entries: Mapping[str, str], addresses: Mapping[str, str], upstreams: Mapping[str, Sequence[str]]
) -> list[str]:
    """Where pages lead that are not simply the entry's own: opened bids to the opening room, another door's pages to
    its entry, signing in and up to the entry of the door that is meant."""
    places = []
    if entry in READERS and "opening" in upstreams:
        places.append(_place("opening", f"^(/en)?/{DOORS[entry]}/lots/[^/]+/bids/"))
    for other in entries:
        if other in DOORS and other != entry:
            places.append(_leads(f"^(/en)?/(account/)?{DOORS[other]}(/|$)", addresses[other]))
    if entry != SIGNING_UP and SIGNING_UP in entries:
        places.append(_leads("^(/en)?/account/sign-up$", addresses[SIGNING_UP]))
    if entry in DOORS or entry == "public":
        where = f"$elsewhere_of_{upstream(entry)}"
        lead = f"if ({where}) {{ return 302 {where}$request_uri; }}"
        places.append(f'location ~ "^(/en)?/account/sign-in$" {{ {lead} proxy_pass http://{upstream(entry)}; }}')
    return places


def _leads(address: str, to: str) -> str:
    return f'location ~ "{address}" {{ return 302 {to}$request_uri; }}'


def _place(process: str, address: str) -> str:
    words = "error_page 413 = @too_large; error_page 502 504 = @away; " if address.startswith("^/api/") else ""
    return f'location ~ "{address}" {{ {words}proxy_pass http://{upstream(process)}; }}'


def _said() -> str:
    """What the proxy itself answers, as a page and, below /api/, as a problem document (RFC 9457)."""
    told = []
    for name, (status, code, zh, en) in (("too_large", TOO_LARGE), ("away", AWAY)):
        problem = {"type": "about:blank", "title": en, "status": status, "detail": zh, "code": code, "rule": None}
        text = json.dumps({**problem, "message": {"zh": zh, "en": en}}, ensure_ascii=False)
        page = (
            f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{status}</title><p>{zh}</p>'
            f'<p lang="en">{en}</p></html>'
        )
        told.append(f"location @{name} {{ default_type application/problem+json; return {status} '{text}'; }}")
        told.append(f"location @{name}_page {{ {HTML} return {status} '{page}'; }}")
    return "error_page 413 = @too_large_page; error_page 502 504 = @away_page; " + " ".join(told)


def deployment(names: Sequence[tuple[str, str]], *, listening: frozenset[str], domain: str = "hall.example") -> str:
    """deploy/nginx.conf: the proxy of docker-compose.yml. `names` are (service, process)."""
    upstreams: dict[str, list[str]] = {}
    for service, process in names:
        if process in listening:
            upstreams.setdefault(process, []).append(f"{service}:8000")
    hosts = {entry: domain if entry == "public" else f"{entry}.{domain}" for entry in ENTRIES}
    entries = {entry: f"8443 ssl; server_name {host}" for entry, host in hosts.items()}
    addresses = {entry: f"https://{host}" for entry, host in hosts.items()}
    tls = ("/run/secrets/tls_cert", "/run/secrets/tls_key")
    http = nginx(upstreams, entries, addresses=addresses, tls=tls, rehearsal=False)
    top = "# Written by portal/processes/routing.py; a test compares. One host name for every kind of visitor.\n"
    # Two connections a visitor; whoever waits for a receipt, or watches an opening, keeps them.
    limits = "worker_processes auto;\nworker_rlimit_nofile 32768;\nevents { worker_connections 32768; }\n"
    return f"{top}{limits}http {{\n{http}}}\n"
