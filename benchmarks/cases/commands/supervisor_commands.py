"""supervisor, a program for each."""

from harness.peers import supervisor
from harness.supervising import main

if __name__ == "__main__":
    main(supervisor)
