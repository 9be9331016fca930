"""the answer of the API, with the last lines."""

from harness.looking import look

look(lambda performance, console: console.overview())
