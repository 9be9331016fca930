"""circus, a watcher for each, `python child.py`."""

from harness.peers import circus
from harness.supervising import main

main(circus, python=True)
