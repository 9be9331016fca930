"""Plays the demo: `python -m orchestra.demo`, or `make demo`."""

import sys

try:
    from .program import main
except ModuleNotFoundError as missing:
    sys.exit(f"The demo needs {missing.name}: pip install 'orchestra-players[demo]'")

if __name__ == "__main__":
    sys.exit(main())
