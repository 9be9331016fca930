"""an observer that does nothing."""

from harness.players import subscribe, watch

watch(subscribe(lambda event: None))
