"""The subjects, in the order of the table."""

from typing import Final

from subject import Subject
from subject_uvicorn import Uvicorn

SUBJECTS: Final[tuple[Subject, ...]] = (Uvicorn(),)
