"""What the roles are called, in both languages (docs/glossary.md)."""

from __future__ import annotations

from trading.roles import Role

NAMES: dict[Role, tuple[str, str]] = {
    Role.OWNER: ("招标人", "owner"),
    Role.AGENT: ("招标代理机构", "agent"),
    Role.BIDDER: ("投标人", "bidder"),
    Role.EXPERT: ("评标专家", "expert"),
    Role.OWNER_REPRESENTATIVE: ("招标人代表", "owner's representative"),
    Role.CENTRE: ("交易中心", "trading centre"),
    Role.ADMINISTRATOR: ("系统管理员", "administrator"),
    Role.SUPERVISOR: ("监督部门", "supervisor"),
    Role.INSPECTOR: ("监督人员", "inspector"),
    Role.AUDITOR: ("审计人员", "auditor"),
    Role.NOTARY: ("公证人员", "notary"),
    Role.TRUSTEE: ("受托人", "trustee"),
    Role.WITNESS: ("见证人", "witness"),
    Role.CLOCKWORK: ("自动任务", "clockwork"),
    Role.OPENING: ("开标室", "opening room"),
    Role.VERIFIER: ("核验室", "verifier"),
    Role.ERASER: ("清除任务", "eraser"),
    Role.PUBLIC: ("公众", "public"),
}


def named(role: Role) -> tuple[str, str]:
    """(Chinese, English) name of a role."""
    return NAMES[role]
