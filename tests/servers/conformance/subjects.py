"""The subjects, in the order of the table."""

from typing import Final

from subject import Subject
from subject_granian import Granian
from subject_hypercorn import Hypercorn
from subject_uvicorn import Uvicorn
from subject_wsgi import Wsgi

SUBJECTS: Final[tuple[Subject, ...]] = (Uvicorn(), Hypercorn(), Granian(), Wsgi())
