"""What the tests of processes get."""

from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker

import pytest


@pytest.fixture
def fork_server() -> Iterator[None]:
    """Ends the fork server that a test has started, which would be kept for good."""
    resource_tracker.ensure_running()
    yield
    forkserver._forkserver._stop()
