"""one client follows."""

from harness.following import follow

follow(1)
