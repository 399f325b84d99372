"""The pages of the report: of each one Python file that gives its values, one script that draws it.

    class Brightness(PageMaker):
        \"\"\"How bright the photos are.\"\"\"

        name, title = "brightness", "Brightness"

        def make(self, look: Look) -> dict[str, float]:
            return {"mean": float(look.evidence.test_windows.mean())}

Its script lies beside it, brightness.js beside brightness.py. A page is known by being imported:
those of this package here, in the order of the navigation; one's own with `--import brightness`.
CONTRIBUTING.md shows one in full.
"""

from facenet_demo.visualize.pages.base import Look, PageMaker, page_makers

# In the order of the navigation.
# isort: off
from facenet_demo.visualize.pages.overview import Overview
from facenet_demo.visualize.pages.layers import Layers
from facenet_demo.visualize.pages.compare import Compare
from facenet_demo.visualize.pages.photos import Photos
# isort: on

__all__ = ["Compare", "Layers", "Look", "Overview", "PageMaker", "Photos", "page_makers"]
