"""Examples in the documentation that fail: what the conftest at the root makes of them."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent

PAGE = """# Page

```python
raise ExceptionGroup("both", [ValueError("a"), OSError("b")])
```

```python
raise KeyError("wrong") from ExceptionGroup("a cause", [OSError("b")])
```

```python
raise KeyError("wrong") from ValueError("a cause without a traceback")
```

```python
from orchestra import Conductor, run


async def bad():
    raise OSError("wrong")


run(Conductor({"bad": bad}))
```

```python
assert True
```
"""


def test_an_example_that_fails_is_a_failure_like_any_other(pytester: pytest.Pytester) -> None:
    """Also with a group of exceptions: each is reported, and the examples after it run."""
    pytester.makeconftest((ROOT / "conftest.py").read_text())
    (pytester.mkdir("docs") / "page.md").write_text(PAGE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "docs", timeout=50)
    result.assert_outcomes(failed=4, passed=1)
    assert "INTERNALERROR" not in result.stdout.str()
