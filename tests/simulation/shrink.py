"""Makes a failing run smaller: fewer faults, fewer users, an earlier calm, still failing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.world import Plan, Report, simulate

MAX_RUNS = 80


def check_of(problem: str) -> str:
    """The check that found a problem."""
    return problem.partition(": ")[0].rstrip("0123456789")


def command_of(plan: Plan) -> str:
    """The command that replays exactly this run, with its story."""
    words = [f"python -m tests.simulation --seed {plan.seed}"]
    if plan.hub:
        words.append(f"--hub {plan.hub}")
    if plan.workers is not None:
        words.append(f"--elsewhere {plan.workers:g}")
    if plan.without:
        words.append(f"--without {','.join(sorted(fault.short for fault in plan.without))}")
    if plan.absent:
        words.append(f"--absent {','.join(sorted(plan.absent))}")
    if plan.calm_after_s is not None:
        words.append(f"--calm-after {plan.calm_after_s:g}")
    return " ".join([*words, "--trace"])


def shrink(report: Report) -> Report:
    """The smallest run found that fails in the same way."""
    runs = 0
    is_smaller = True
    while is_smaller and runs < MAX_RUNS:
        is_smaller = False
        for plan in _smaller(report):
            runs += 1
            found = simulate(plan)
            if _fails_alike(found, report):
                report, is_smaller = found, True
                break
            if runs >= MAX_RUNS:
                break
    return report


def _fails_alike(found: Report, report: Report) -> bool:
    checks = {check_of(problem) for problem in report.problems}
    return any(check_of(problem) in checks for problem in found.problems)


def _smaller(report: Report) -> Iterator[Plan]:
    plan = report.plan
    unused = report.chosen - report.faults.keys()
    if unused:
        yield replace(plan, without=plan.without | unused)
    for calm_after_s in (5.0, 15.0, 30.0, 60.0):
        if plan.calm_after_s is None or calm_after_s < plan.calm_after_s:
            yield replace(plan, calm_after_s=calm_after_s)
    for name in report.users:
        yield replace(plan, absent=plan.absent | {name})
    for fault in sorted(report.faults):
        yield replace(plan, without=plan.without | {fault})
