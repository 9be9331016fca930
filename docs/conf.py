"""How the documentation is built: Markdown pages, and a reference made from the docstrings.

Docstrings are Markdown too, so that the same words read well in an editor and on the page.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.utils import new_document
from myst_parser.parsers.sphinx_ import MystParser
from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent

project = "Orchestra"
author = "Orchestra contributors"
copyright = author
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc"]

html_theme = "furo"
html_title = "Orchestra"
html_show_sphinx = False
html_copy_source = False
# The pages show no foreign picture, font or script: they can be read without a network.
html_theme_options = {"footer_icons": []}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# What a default is called, and not what it holds: that of `os.environ` would be the builder's secrets.
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
# The plugin's page needs its docstring only.
autodoc_mock_imports = ["pytest", "prometheus_client", "opentelemetry", "structlog"]


class Markdown(Directive):
    """Parses what is inside it as Markdown."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        source = self.content.source(0) or "docstring"
        document = new_document(source, self.state.document.settings)
        MystParser().parse("\n".join(self.content), document)
        return document.children


def docstring_as_markdown(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Wrap a docstring, which autodoc would read as reStructuredText, in the directive above."""
    if any(lines):
        lines[:] = [".. markdown::", "", *(f"   {line}" for line in fence_doctests(lines)), ""]


def plain_defaults(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str,
) -> tuple[str, str] | None:
    """Show as `{}` what is an empty mapping to a reader, whatever makes it."""
    if signature is None:
        return None
    return signature.replace("MappingProxyType({})", "{}").replace("<factory>", "{}"), returns


def fence_doctests(lines: list[str]) -> Iterator[str]:
    """Put a fence around `>>>` examples that have none: in Markdown they would be quotations."""
    in_fence = in_example = False
    for line in lines:
        if line.lstrip().startswith("```"):
            in_fence = not in_fence
        if not in_fence and not in_example and line.lstrip().startswith(">>>"):
            in_example = True
            yield "```pycon"
        elif in_example and not line.strip():
            in_example = False
            yield "```"
        yield line
    if in_example:
        yield "```"


# Where the names lie that a page may use without saying so.
HOMES = ("orchestra", "orchestra.testing", "orchestra.log", "orchestra.status")


def link_names(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make `Conductor`, in code type anywhere, a link to its entry in the reference."""
    objects = app.env.domains.python_domain.objects
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removesuffix("()")
        found = next(
            (objects[f"{home}.{name}"] for home in HOMES if f"{home}.{name}" in objects), None
        )
        if found is None or isinstance(literal.parent, nodes.reference):
            continue
        target = app.builder.get_relative_uri(docname, found.docname) + f"#{found.node_id}"
        link = nodes.reference("", "", internal=True, refuri=target)
        literal.replace_self(link)
        link += literal


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("markdown", Markdown)
    app.connect("autodoc-process-docstring", docstring_as_markdown)
    app.connect("autodoc-process-signature", plain_defaults)
    app.connect("doctree-resolved", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
