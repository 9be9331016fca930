"""circus, a watcher for each."""

from harness.peers import circus
from harness.supervising import main

main(circus)
