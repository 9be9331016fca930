"""All that is wrong with what a scenario led to."""

from __future__ import annotations

from .accounts import account
from .grammar import Grammar
from .promises import promises
from .stage import Record


def judge(record: Record) -> list[str]:
    faults = list(record.faults)
    if record.over is not None:
        grammar = Grammar(record)
        faults += grammar.faults
        faults += account(record)
        faults += promises(record, grammar)
    return faults
