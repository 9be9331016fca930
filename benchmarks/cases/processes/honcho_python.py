"""honcho, a Procfile, `python child.py`."""

from harness.peers import honcho
from harness.supervising import main

main(honcho, python=True)
