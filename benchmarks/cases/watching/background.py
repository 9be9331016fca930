"""a thread of its own, for an observer that does nothing."""

from harness.players import watch
from orchestra.observers.background import BackgroundObserver

watch(lambda performance: performance.subscribe(BackgroundObserver(lambda event: None)))
