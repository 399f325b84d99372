"""What the site has beside docs/: README.md and its neighbours, the notebooks, the package.

A hook of mkdocs. The site's tree is the repository's, so that one relative link serves both; only
the pages of the package, in api/, are there alone.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import griffe
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parents[1]
SHOWN = ("*.md", "LICENSE", "docs/*.md", "docs/*.png", "docs/*.css", "docs/*.js",
         "configs/**/*.yaml", "notebooks/*.md")  # fmt: skip
FACE = """# import facenet_demo as fd

::: facenet_demo
    options:
      show_submodules: false
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the repository, under their paths there."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for path in (path for pattern in SHOWN for path in sorted(ROOT.glob(pattern))):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    pages: dict[str, str | bytes] = {"api/index.md": FACE}
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        pages |= _notebook(path)
    for path in sorted(ROOT.glob("facenet_demo/*/__init__.py")):
        room = path.parent.name
        pages[f"api/{room}.md"] = f"# facenet_demo.{room}\n\n::: facenet_demo.{room}\n"
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def _notebook(path: Path) -> dict[str, str | bytes]:
    """A notebook as it ran: its text and its pictures, by the names of their files."""
    resources = {"output_files_dir": path.stem}
    text, resources = MarkdownExporter().from_filename(str(path), resources)
    text = re.sub(r"\$([^$\n]+)\$", lambda formula: convert(formula[1]), text)
    pictures = {f"notebooks/{name}": content for name, content in resources["outputs"].items()}
    return {f"notebooks/{path.stem}.md": text, **pictures}


def on_page_markdown(markdown: str, **_: object) -> str:
    """A link to a notebook leads to its page."""
    return markdown.replace(".ipynb)", ".md)")


class CodeInDocstrings(griffe.Extension):
    """Shows as code what is code: ruff takes the indentation that would say so."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring is not None:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(_fenced, paragraphs))


def _fenced(paragraph: str) -> str:
    try:
        ast.parse(paragraph)
    except SyntaxError:  # English
        return paragraph
    return f"```python\n{paragraph}\n```"
