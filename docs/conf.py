"""Settings of Sphinx for the book (`make book`): the source is the whole repository, the front page is README.md."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
os.environ["NUMBA_DISABLE_JIT"] = "1"  # a compiled function shows neither its arguments nor its docstring

import book  # noqa: E402  (found through the line above)
from docutils import nodes  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402
from sphinx import addnodes  # noqa: E402

LONGEST_VALUE = 60

project = "encnn"
author = "The encnn authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]

root_doc = "README"
include_patterns = ["*.md", "docs/**", "notebooks/*"]
exclude_patterns = [".*", "build", "dist", "results", "tests", "encnn"]

nb_execution_mode = "off"  # stored outputs are shown; `make notebooks-check` compares them with a new run
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
maximum_signature_line_length = 80
viewcode_follow_imported_members = False
highlight_language = "none"  # a block whose language is not named is no Python: pictures and formulas in letters
default_role = "literal"  # tables of docstrings say `code`
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = "encnn"
html_static_path = html_css_files = ["book.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
nb_ipywidgets_js = {}  # no scripts from elsewhere: sliders show the stored picture


def setup(app):
    """Connect the parts that are generated: formulas, reference, table of contents, docstrings, and index.html."""
    app.add_html_math_renderer("mathml", (show_formula, None), (show_formula, None))
    app.connect("builder-inited", lambda app: book.write_reference(ROOT / book.REFERENCE))
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", rewrite_docstring)
    app.connect("object-description-transform", shorten_value)
    app.connect("build-finished", add_index)


def show_formula(writer, node):
    """Write a formula as MathML, which browsers show by themselves: no script from elsewhere is needed."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    writer.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def add_contents(app, name, source):
    """Put the table of contents at the foot of the front page."""
    if name == root_doc:
        source[0] += book.table_of_contents()


def rewrite_docstring(app, what, name, thing, options, lines):
    """Show docstrings, which are plain text, as they are meant."""
    lines[:] = [] if lines[:1] and lines[0].startswith("Alias for field") else book.as_rest(lines)


def shorten_value(app, domain, kind, content):
    """Leave out the value of a constant that would fill lines."""
    for part in list(content.parent.findall(addnodes.desc_annotation)):
        if part.astext().lstrip().startswith("=") and len(part.astext()) > LONGEST_VALUE:
            part.parent.remove(part)


def add_index(app, error):
    """Let the front page answer at index.html as well."""
    if error is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir) / "README.html", Path(app.outdir) / "index.html")
