"""What a case is told, and the one line of JSON by which it reports its measurement."""

from __future__ import annotations

import argparse
import json


def given_size(usual: int) -> int:
    """How many of what is measured there are to be."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=usual)
    return int(parser.parse_args().size)


def report(value: float, **also: float) -> None:
    """Print the measured value, and by name what else was seen in the same run."""
    print(json.dumps({"value": value, "also": also}), flush=True)
