"""served, and nobody follows."""

from harness.following import follow

follow(0)
