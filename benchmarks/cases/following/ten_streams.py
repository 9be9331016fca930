"""ten clients follow."""

from harness.following import follow

follow(10)
