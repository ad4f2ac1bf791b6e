"""What an operator may set a property to, and the name that it has in an environment file."""

import re
from typing import Protocol

BOOLEANS = ("true", "false")


class Rule(Protocol):
    """What a property's value is judged by: a recipe's Property, or what the guest's agent reads of it."""

    @property
    def type(self) -> str:
        """One of string, integer, boolean and choice."""

    @property
    def pattern(self) -> str:
        """What a string must match as a whole, or ""."""

    @property
    def minimum(self) -> int | None:
        """The smallest integer."""

    @property
    def maximum(self) -> int | None:
        """The largest integer."""

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be chosen."""


def environment_name(name: str) -> str:
    """Return a property's name as a variable: "site-title" is "SITE_TITLE"."""
    return name.replace("-", "_").replace(".", "_").upper()


def complaint(rule: Rule, value: str) -> str:
    """Return what is wrong with a value for a property, to stand behind the value; "" if nothing is."""
    if rule.type == "boolean" and value not in BOOLEANS:
        return "must be true or false"
    if rule.type == "choice" and value not in rule.choices:
        return f"must be one of {', '.join(rule.choices)}"
    if rule.type == "integer":
        return _integer_complaint(rule, value)
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        return f"does not match the pattern {rule.pattern}"
    return ""


def _integer_complaint(rule: Rule, value: str) -> str:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        return "must be a whole number"
    if rule.minimum is not None and int(value) < rule.minimum:
        return f"must be at least {rule.minimum}"
    if rule.maximum is not None and int(value) > rule.maximum:
        return f"must be at most {rule.maximum}"
    return ""
