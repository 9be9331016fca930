"""The one line of JSON by which a case reports its measurement."""

from __future__ import annotations

import json


def report(value: float, **also: float) -> None:
    """Print the measured value, and by name what else was seen in the same run."""
    print(json.dumps({"value": value, "also": also}), flush=True)
