"""honcho, a Procfile."""

from harness.peers import honcho
from harness.supervising import main

if __name__ == "__main__":
    main(honcho)
