"""the same, in JSON."""

from harness.looking import look
from orchestra.web.api.answers import encoded

look(lambda performance, console: encoded(console.overview()))
