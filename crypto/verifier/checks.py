"""The numbered checks 0 … 9 over one bundle, in order: what an auditor or a court runs (docs/spec/bundle.md §6).

Each check is one function here and one sentence there; the work stands in the module it names. A check never stops the
others, except check 0: what cannot be read cannot be judged. Whatever a bundle holds, the answer is a result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crypto.refusal import Refused
from crypto.trust import Trust
from crypto.verifier import anchors, award, bids, draw, ledger, limits, opening, persons, reading
from crypto.verifier.anchors import Case
from crypto.verifier.archive import Archive
from crypto.verifier.crew import Crew, Unfinished
from crypto.verifier.findings import Failed, Finding, Remarks, Result, tell

Check = Callable[[Case, Remarks], None]


def check_1_trust_anchors(case: Case, remarks: Remarks) -> None:
    """1: log, witnesses, trustees, keys and certificates lead back to trust.json."""
    anchors.check(case, remarks)


def check_2_ledger(case: Case, remarks: Remarks) -> None:
    """2: everything shown is in one log that only grew; the chains have no gap."""
    ledger.check(case, remarks)


def check_3_order_and_time_limits(case: Case, remarks: Remarks) -> None:
    """3: acts in lawful order, within the time limits of the pinned rulebook and calendar."""
    limits.check(case, remarks)


def check_4_persons_roles_powers(case: Case, remarks: Remarks) -> None:
    """4: signed by whom the kind demands, under a power in force; nobody on two sides."""
    persons.check(case, remarks)


def check_5_bids(case: Case, remarks: Remarks) -> None:
    """5: every logged submission frozen, withdrawn, replaced or refused; one per organisation."""
    bids.check(case, remarks)


def check_6_opening(case: Case, remarks: Remarks) -> None:
    """6: shares released by whom and when; re-derived; the manifest is the opening record."""
    opening.check(case, remarks)


def check_7_draw(case: Case, remarks: Remarks) -> None:
    """7: the draw and its replacements, drawn again."""
    draw.check(case, remarks)


def check_8_scores(case: Case, remarks: Remarks) -> None:
    """8: committed before shown, in range, counted again."""
    award.check_scores(case, remarks)


def check_9_publicity_to_contract(case: Case, remarks: Remarks) -> None:
    """9: candidates, objections, award, contract = bid."""
    award.check_award(case, remarks)


CHECKS: Sequence[Check] = (
    check_1_trust_anchors,
    check_2_ledger,
    check_3_order_and_time_limits,
    check_4_persons_roles_powers,
    check_5_bids,
    check_6_opening,
    check_7_draw,
    check_8_scores,
    check_9_publicity_to_contract,
)


def run(archive: Archive, trust: Trust | None, crew: Crew) -> tuple[list[Result], Case | None]:
    """All ten results for a bundle, in order, and the case when it could be read (check 0 is `reading.read`).

    What is the same for every bid is handed to the crew. Raises Unfinished.
    """
    case: Case | None = None

    def check_0_files_and_hashes() -> None:
        nonlocal case
        case = Case(reading.read(archive, crew), trust, crew)

    results = [guarded(0, lambda _: check_0_files_and_hashes())]
    if case is None:
        unread = Finding("第 0 项未通过,无法判断", "not judged: check 0 failed")
        return results + [Result(number, "not_shown", unread) for number in range(1, 10)], None
    judged = case
    for number, check in enumerate(CHECKS, 1):
        results.append(guarded(number, lambda remarks, check=check: check(judged, remarks)))  # type: ignore[misc]
    return results, judged


def guarded(number: int, work: Callable[[Remarks], None]) -> Result:
    """One check, whatever happens in it: passed with its remarks, or failed with a sentence. Raises Unfinished."""
    remarks = Remarks()
    try:
        work(remarks)
    except Unfinished:
        raise
    except Failed as failed:
        return Result(number, "failed", failed.finding)
    except Refused as refused:
        told = tell(refused)
        return Result(number, "failed", Finding(told["zh"], told["en"]))
    except Exception as error:
        # A verifier answers on any input: what no check foresaw is still no pass, and says what it was.
        told_en = f"unexpected: {type(error).__name__}: {error}"[:300]
        return Result(number, "failed", Finding(f"意外内容:{type(error).__name__}:{error}"[:300], told_en))
    return Result(number, "passed", remarks.joined())
