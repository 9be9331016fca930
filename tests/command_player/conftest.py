"""With coverage, the launcher runs as a module: measured, with all that is forked from it."""

import os

import pytest

from orchestra._launch import launcher


@pytest.fixture(autouse=True)
def measured_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    if "COVERAGE_PROCESS_CONFIG" in os.environ or "COVERAGE_PROCESS_START" in os.environ:
        monkeypatch.setattr(launcher, "PROGRAM", ("-m", "orchestra._launch.beside"))
