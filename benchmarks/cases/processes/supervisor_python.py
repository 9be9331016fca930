"""supervisor, a program for each, `python child.py`."""

from harness.peers import supervisor
from harness.supervising import main

if __name__ == "__main__":
    main(supervisor, python=True)
