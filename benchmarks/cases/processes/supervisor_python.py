"""supervisor, a program for each, `python child.py`."""

from harness.peers import supervisor
from harness.supervising import main

main(supervisor, python=True)
