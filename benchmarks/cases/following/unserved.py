"""not served."""

from harness.following import follow

follow(None)
