"""orchestra, logging off."""

from harness.idle import main
from harness.players import play
from orchestra import Context

main(lambda crew: play(crew, Context()))
