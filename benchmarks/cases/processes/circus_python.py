"""circus, a watcher for each, `python child.py`."""

from harness.peers import circus
from harness.supervising import main

if __name__ == "__main__":
    main(circus, python=True)
