"""Makes each test of the suite for every subject, as the table has it."""

from typing import Any

import pytest
from promises import PROMISES
from subjects import SUBJECTS


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "keeps(promise): a test of the conformance suite, made for every subject"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "subject" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("keeps")
    assert mark is not None, f"{metafunc.definition.nodeid} keeps no promise"
    (promise,) = mark.args
    assert promise in PROMISES, f"{promise!r} is not promised"
    made: list[Any] = []
    for subject in SUBJECTS:
        marks: list[Any] = []
        if promise in subject.lacks:
            continue
        if promise in subject.cannot:
            reason = subject.cannot[promise]
            untried = promise in subject.untried
            # A test that passes all the same fails: the table says something else.
            marks.append(
                pytest.mark.skip(reason=reason)
                if untried
                else pytest.mark.xfail(reason=reason, strict=True)
            )
        made.append(pytest.param(subject, id=subject.name, marks=marks))
    metafunc.parametrize("subject", made)
