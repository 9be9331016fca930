"""Runs the examples of README.md, of docs/ and of the docstrings as tests.

The blocks of one document share a namespace and run from the top to the bottom; the docstrings of one
module are one document, in which the module's own names, the public ones and `asyncio` are known.
`__name__` is not `"__main__"`, so what stands under `if __name__ == "__main__":` is compiled and not
run. Two comments help where an example needs more than a reader should see:

    <!--- invisible-code-block: python
    set_up = "runs like any other block"
    --->

    <!--- skip: next --->
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from sybil import Document, Region, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

import orchestra

fenced_blocks = PythonCodeBlockParser()
doctests = DocTestParser()


def docstring_examples(document: Document) -> Iterable[Region]:
    """Fenced Python blocks, and `>>>` examples outside of them."""
    fenced = list(fenced_blocks(document))
    # All are found before any is given away: the document moves the regions that it gets.
    bare = [
        region
        for region in doctests(document)
        if not any(block.start <= region.start < block.end for block in fenced)
    ]
    return fenced + bare


def name_the_module(namespace: dict[str, Any]) -> None:
    namespace["__name__"] = "examples"


def know_the_public_names(namespace: dict[str, Any]) -> None:
    """A docstring's example may use what its module has, and what every reader would import."""
    namespace["asyncio"] = asyncio
    namespace.update({name: getattr(orchestra, name) for name in orchestra.__all__})


traceback_of_example = SybilItem._traceback_filter


def shortened_traceback(item: SybilItem, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
    """The traceback from the example on, if it goes through one: that of a cause, or in a group, may not."""
    try:
        return traceback_of_example(item, excinfo)
    except IndexError:  # Sybil reckons with none but that of the failure itself
        return excinfo.traceback


SybilItem._traceback_filter = shortened_traceback

pages = Sybil(
    parsers=[fenced_blocks, SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"],
    setup=name_the_module,
    name="pages",
)
docstrings = Sybil(
    parsers=[docstring_examples, SkipParser()],
    path="src/orchestra",
    pattern="*.py",
    setup=know_the_public_names,
    name="docstrings",
)

pytest_collect_file = (pages + docstrings).pytest()
