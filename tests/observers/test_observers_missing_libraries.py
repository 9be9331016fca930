"""What is said where the library of an observer is not installed."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("prometheus", "prometheus_client", "prometheus"),
        ("opentelemetry", "opentelemetry", "opentelemetry"),
        ("structlog", "structlog", "structlog"),
    ],
)
def test_the_line_that_installs_it(
    module: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An observer whose library is missing says how to install it when it is imported."""
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"orchestra.observers.{module}", raising=False)
    with pytest.raises(
        ModuleNotFoundError, match=rf"pip install 'orchestra-players\[{extra}\]'"
    ) as caught:
        importlib.import_module(f"orchestra.observers.{module}")
    assert caught.value.name == library
