"""How Sphinx builds this site: pages of Markdown whose code runs, and a reference made from the docstrings."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["PYTHONPATH"] = str(HERE.parent)  # pages run the checkout's cornu

import cornu  # noqa: E402 - found only now

project = "cornu"
author = "the cornu authors"
html_show_copyright = False
version = release = cornu.__version__

extensions = ["myst_nb", "sphinx.ext.viewcode", "sphinx_copybutton", "mathml", "notebooks", "plots", "reference"]
source_suffix = {".md": "myst-nb"}
exclude_patterns = ["_build", "_ext", "requirements.txt"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist", "attrs_inline"]
myst_heading_anchors = 3
html_math_renderer = "mathml"  # formulas need no script and no font
nitpicky = True

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # a cell takes seconds, but other work may keep the machine busy
nb_execution_excludepatterns = ["reference/*"]
nb_merge_streams = True

html_theme = "furo"
html_title = "cornu"
html_static_path = ["_static"]
html_css_files = ["cornu.css"]
html_js_files = ["search.js"]
html_copy_source = False
copybutton_prompt_text = r">>> |\$ "
copybutton_prompt_is_regexp = True

nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
