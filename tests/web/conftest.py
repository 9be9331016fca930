import shutil
import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture
def uds() -> Iterator[str]:
    """A path for a Unix socket, which has to be a short one."""
    folder = tempfile.mkdtemp(prefix="o-")
    yield f"{folder}/s.sock"
    shutil.rmtree(folder)
