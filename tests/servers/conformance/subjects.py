"""The subjects, in the order of the table."""

from typing import Final

from subject import Subject
from subject_aiohttp import Aiohttp
from subject_granian import Granian
from subject_grpc import Grpc
from subject_hypercorn import Hypercorn
from subject_socketserver import Socketserver
from subject_streams import Streams
from subject_uvicorn import Uvicorn
from subject_websockets import Websockets
from subject_wsgi import Wsgi

SUBJECTS: Final[tuple[Subject, ...]] = (
    Uvicorn(),
    Hypercorn(),
    Granian(),
    Wsgi(),
    Aiohttp(),
    Websockets(),
    Streams(),
    Grpc(),
    Socketserver(),
)
