"""How Sphinx builds the book. Warnings are errors (`tox -e docs`): an orphan page or a broken link fails.

What the program knows of itself - settings, log events, metrics, commands - is asked of it at every build, so that no
table of the book can be stale; the tables land in `_generated/`, from where the pages include them.
"""

import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import generated  # noqa: E402 - needs the path

_declared = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

project = "Runnerly"
author = "the Runnerly developers"
project_copyright = "the Runnerly developers"
version = release = _declared["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_generated", "openapi", "takeout"]
nitpicky = True
suppress_warnings = ["myst.strikethrough"]

html_theme = "pydata_sphinx_theme"
html_title = "Runnerly"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"], "footer_end": []}


def setup(app: Sphinx) -> None:
    """Write the tables before any page is read."""
    app.connect("builder-inited", lambda _: generated.write(HERE / "_generated"))
