"""`jeos doctor`: what this host can do and lacks, with the command that mends it."""

import argparse

from jeos.build import host, host_facts
from jeos.build.host import Finding, State
from jeos.cli import output
from jeos.core import log
from jeos.core.errors import HostError

HELP = "show what this host can do and lacks, with the command that mends it"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `jeos doctor`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per check; the exit status is HostError's if appliances cannot be built and run here."""
    with log.step("look"):
        findings = host.judge(host_facts.gather())
    ready = host.ready(findings)
    if args.json:
        output.as_json({"ready": ready, "findings": findings})
    else:
        for line in report(findings):
            output.line(line)
    return 0 if ready else HostError.exit_code


def report(findings: tuple[Finding, ...]) -> list[str]:
    """Return the lines of the report: findings by task, what mends each, and the conclusion."""
    lines: list[str] = []
    task = ""
    for finding in findings:
        lines.append(
            f"{finding.task if finding.task != task else '':<6} {finding.state:<8}{finding.name:<9} {finding.value}"
        )
        task = finding.task
        if finding.mend and finding.state is not State.OK:
            lines.append(f"{'':<24} mend: {finding.mend}")
    if host.ready(findings):
        return [*lines, "", "Appliances can be built and run here."]
    lacking = ", ".join(f"{one.task} {one.name}" for one in findings if one.needed and one.state is State.MISSING)
    return [*lines, "", f"Appliances cannot be built and run here before this is mended: {lacking}"]
