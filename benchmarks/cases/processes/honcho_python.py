"""honcho, a Procfile, `python child.py`."""

from harness.peers import honcho
from harness.supervising import main

if __name__ == "__main__":
    main(honcho, python=True)
