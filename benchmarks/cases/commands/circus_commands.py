"""circus, a watcher for each."""

from harness.peers import circus
from harness.supervising import main

if __name__ == "__main__":
    main(circus)
