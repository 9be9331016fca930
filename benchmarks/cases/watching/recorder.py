"""the recorder of the status page."""

from harness.players import watch
from orchestra.web.record.recorder import Recorder

watch(lambda performance: Recorder().attach(performance))
