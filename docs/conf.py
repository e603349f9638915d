"""How Sphinx builds the book. Warnings are errors (`tox -e docs`): an orphan page or a broken link fails."""

import tomllib
from pathlib import Path

_declared = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = "Runnerly"
author = "the Runnerly developers"
project_copyright = "the Runnerly developers"
version = release = _declared["version"]

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "pydata_sphinx_theme"
html_title = "Runnerly"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"], "footer_end": []}
