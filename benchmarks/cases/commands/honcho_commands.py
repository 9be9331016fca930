"""honcho, a Procfile."""

from harness.peers import honcho
from harness.supervising import main

main(honcho)
