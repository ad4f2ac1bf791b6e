"""What is known of the appliance's updates, for `jeos-agent status` and the consoles: read from the state, no more.

The daemon imports this, so that it must stay small; the words were found by the last pass (`jeos.update.run`).
"""

import time
from collections.abc import Mapping

from jeos.agent.appliance import number, objects, text
from jeos.update import state_file

WHEN = "%Y-%m-%d %H:%M"
MOST_FAILURES = 3  # of the releases that failed, the last ones


def describe(version: str, *, folder: str = state_file.FOLDER) -> dict[str, object]:
    """Return what the last pass found and when, what is on trial or waits, and which releases failed.

    `version` is the one that runs: what the last pass of another one said may be outdated.
    """
    known = state_file.read(folder)
    agent, trial = _object(known, "agent"), _object(known, "trial")
    failures = objects(known, "failures")[-MOST_FAILURES:]
    return {
        "said": _said(version, agent, trial, failures),
        "error": text(agent, "error", ""),
        "passed": agent.get("passed", []),
        "tried": number(agent, "tried", 0.0),
        "checked": number(agent, "checked", 0.0),
        "next": number(agent, "next", 0.0),
        "window": text(agent, "window", ""),
        "pin": text(agent, "pin", ""),
        "trial": {"version": text(trial, "version", ""), "root_hash": text(trial, "root_hash", "")} if trial else {},
        "confirmed": text(known, "confirmed", ""),
        "failed": [{"version": text(one, "version", ""), "reason": text(one, "reason", "")} for one in failures],
    }


def _said(
    version: str, agent: Mapping[str, object], trial: Mapping[str, object], failures: list[dict[str, object]]
) -> str:
    """Return what is to be known first."""
    taken = text(agent, "version", "")
    if text(trial, "version", "") == version:
        return f"{version} is on trial: it is kept once its health has held"
    if taken and taken == version:
        return f"{version} is confirmed"
    before = agent.get("failed")
    for one in failures:
        known = isinstance(before, list) and one.get("root_hash") in before
        if text(one, "version", "") == taken and not known:
            return f"{taken} failed here: {text(one, 'reason', '')}; {version} runs again"
    return text(agent, "words", "nothing was looked for yet")


def lines(described: Mapping[str, object]) -> list[str]:
    """Return it as lines for people."""
    found = [text(described, "said", "")]
    checked, after = number(described, "checked", 0.0), number(described, "next", 0.0)
    tried = max(number(described, "tried", 0.0), checked)  # who only wanted to know puts nothing off
    if tried:
        failed = (
            "" if checked == tried else f", with success at {_when(checked)}" if checked else ", never with success"
        )
        found.append(f"looked at {_when(tried)}{failed}; again at {_when(after)}")
    if text(described, "window", ""):
        found.append(f"restarts {text(described, 'window', '')}")
    said = text(described, "said", "")
    for one in objects(described, "failed"):
        words = f"{text(one, 'version', '?')} failed here: {text(one, 'reason', '')}"
        if not said.startswith(words):
            found.append(words)
    return found


def _object(said: Mapping[str, object], key: str) -> dict[str, object]:
    value = said.get(key)
    return value if isinstance(value, dict) else {}


def _when(moment: float) -> str:
    return time.strftime(WHEN, time.localtime(moment))
