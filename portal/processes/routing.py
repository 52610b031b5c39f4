"""Which address goes to which process: one table, from which the reverse proxy's configuration is written.

Every kind of visitor has an entry of its own (a host name in production, a port on loopback), so that a bidder's
request never meets the owners' process. What no door claims is public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    ),
    "trustees": (r"^/api/v1/bidding/",),
    "experts": (r"^/api/v1/experts/", r"^/api/v1/inbox$", r"^/api/v1/lots/[^/]+/room$"),
    "watch": (r"^/api/v1/(supervision|experts)/", r"^/api/v1/inbox$", r"^/api/v1/lots/[^/]+/trail$"),
}
"""The entries, and the addresses that each entry's own door serves."""

EVERYWHERE: Sequence[tuple[str, str]] = (
    ("opening", r"^/api/v1/bidding/read$"),
    ("watch", r"^/api/v1/lots/[^/]+/bundle$"),
    ("experts", r"^/api/v1/lots/[^/]+/table$"),
    ("bidders", r"^/api/v1/bidding/lots/[^/]+/stage$"),
)
"""Addresses that one process serves at every entry."""
CLOCK = ("clockwork-operation", r"^/api/v1/demo/clock$")
"""A rehearsal's clock."""

BODY_BYTES_MAX = "300m"


def upstream(process: str) -> str:
    """The name of a process's upstream in the proxy's configuration."""
    return process.replace("-", "_")


def nginx(
    upstreams: Mapping[str, Sequence[str]],
    entries: Mapping[str, str],
    *,
    tls: tuple[str, str] | None,
    rehearsal: bool,
) -> str:
    """The `http` block of an nginx: `upstreams` host:port by process, `entries` what each entry listens on (the text
    after `listen`), `tls` certificate and key for those that end in ` ssl`."""
    lines = ["server_tokens off;", f"client_max_body_size {BODY_BYTES_MAX};", "access_log off;"]
    lines += [
        "proxy_http_version 1.1;",
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "keepalive_timeout 65;",
    ]
    lines += ["proxy_read_timeout 120s;", "proxy_connect_timeout 3s;"]
    lines += ["proxy_set_header Host $host;", "proxy_set_header X-Real-IP $remote_addr;"]
    lines += ['proxy_set_header Connection "";', "proxy_set_header X-Request-Id $request_id;"]
    if tls is not None:
        lines += [f"ssl_certificate {tls[0]};", f"ssl_certificate_key {tls[1]};", "ssl_protocols TLSv1.3;"]
    for process, servers in upstreams.items():
        inside = " ".join(f"server {each} max_fails=1 fail_timeout=2s;" for each in servers)
        lines.append(f"upstream {upstream(process)} {{ least_conn; {inside} keepalive 16; }}")
    everywhere = [*EVERYWHERE, *([CLOCK] if rehearsal else [])]
    for entry, listen in entries.items():
        places = [_place(process, address) for process, address in everywhere if process in upstreams]
        places += [_place(entry, address) for address in ENTRIES[entry]]
        places.append(f"location / {{ proxy_pass http://{upstream('public')}; }}")
        listens = "".join(f"listen {each}; " for each in listen.split(","))
        lines.append(f"server {{ {listens}" + " ".join(places) + " }")
    return "\n".join(lines) + "\n"


def _place(process: str, address: str) -> str:
    return f'location ~ "{address}" {{ proxy_pass http://{upstream(process)}; }}'


def deployment(names: Sequence[tuple[str, str]], *, listening: frozenset[str], domain: str = "hall.example") -> str:
    """deploy/nginx.conf: the proxy of docker-compose.yml. `names` are (service, process)."""
    upstreams: dict[str, list[str]] = {}
    for service, process in names:
        if process in listening:
            upstreams.setdefault(process, []).append(f"{service}:8000")
    entries = {
        entry: f"8443 ssl; server_name {domain if entry == 'public' else f'{entry}.{domain}'}" for entry in ENTRIES
    }
    tls = ("/run/secrets/tls_cert", "/run/secrets/tls_key")
    http = nginx(upstreams, entries, tls=tls, rehearsal=False)
    top = "# Written by portal/processes/routing.py; a test compares. One host name for every kind of visitor.\n"
    return f"{top}events {{ worker_connections 4096; }}\nhttp {{\n{http}}}\n"
