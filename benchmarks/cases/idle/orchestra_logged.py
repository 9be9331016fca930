"""orchestra, logging on (INFO to a NullHandler)."""

import logging

from harness.idle import main
from harness.players import play
from orchestra import Context


class CountingHandler(logging.NullHandler):
    """A handler that does nothing but count, so that the case knows that there were records."""

    records = 0

    def handle(self, record: logging.LogRecord) -> bool:
        """Count the record, and drop it."""
        self.records += 1
        return True


def log_to_nowhere() -> CountingHandler:
    """Switch the library's logger on at INFO, with nobody above it."""
    handler = CountingHandler()
    logger = logging.getLogger("orchestra")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return handler


counter = log_to_nowhere()
main(lambda crew: play(crew, Context()), quiet=False)
if not counter.records:
    raise AssertionError("nothing was logged, so this measured the wrong thing")
