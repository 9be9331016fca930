"""The table of who keeps what: it is whole, and the docs show it."""

import re
from pathlib import Path

import pytest
from promises import PROMISES, in_the_docs, table
from subject import Subject
from subjects import SUBJECTS


def test_the_docs_show_the_table() -> None:
    """docs/how-to/servers.md has the table as the suite has it."""
    shown = in_the_docs()
    assert shown == table(SUBJECTS), "write it: python tests/servers/conformance/promises.py"


@pytest.mark.parametrize("one", SUBJECTS, ids=lambda one: one.name)
def test_what_a_subject_does_not_keep_is_known(one: Subject) -> None:
    """A subject excuses itself from promises that there are, once each, with a reason."""
    assert {*one.cannot, *one.lacks} <= {*PROMISES}
    assert not {*one.cannot} & {*one.lacks}
    assert one.untried <= {*one.cannot}
    assert all({**one.cannot, **one.lacks}.values())


def test_every_promise_is_tested() -> None:
    """No promise of the table is without a test."""
    tested = {
        name
        for file in Path(__file__).parent.glob("test_conformance_*.py")
        for name in re.findall(r'mark\.keeps\("(.*?)"\)', file.read_text())
    }
    assert tested == {*PROMISES}
