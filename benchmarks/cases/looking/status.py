"""the frozen snapshot."""

from harness.looking import look

look(lambda performance, console: performance.status())
