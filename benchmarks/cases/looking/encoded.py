"""the same, in JSON."""

from harness.looking import look
from orchestra.web.answers import encoded

look(lambda performance, console: encoded(console.overview()))
