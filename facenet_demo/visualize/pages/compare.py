"""Two layers side by side: compare.js has them from the page of the layers."""

from __future__ import annotations

from typing import Any

from facenet_demo.visualize.pages.base import Look, PageMaker


class Compare(PageMaker):
    """Two layers of any network side by side."""

    name = "compare"
    title = "Compare"

    def make(self, look: Look) -> dict[str, Any]:
        """`pair`: what is compared until somebody chooses, the middle layer and its control."""
        middle = look.layers[len(look.layers) // 2]
        return {"pair": [look.names[0], middle, look.names[1], middle]}
