"""the recorder of the status page."""

from harness.watching import watch
from orchestra.web.record.recorder import Recorder

watch(lambda performance: Recorder().attach(performance))
