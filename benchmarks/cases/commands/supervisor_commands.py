"""supervisor, a program for each."""

from harness.peers import supervisor
from harness.supervising import main

main(supervisor)
