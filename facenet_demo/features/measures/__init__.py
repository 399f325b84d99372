"""The measures of the progression, one file each; figures and tables show them in this order.

`base` says what a measure is, and shows one.
"""

from facenet_demo.features.measures.base import (
    Draw,
    LayerValues,
    Measure,
    PhotoValues,
    UnitValues,
    all_measures,
)
from facenet_demo.features.measures.edges import Edges as Edges
from facenet_demo.features.measures.parts import Parts as Parts
from facenet_demo.features.measures.people import People as People
from facenet_demo.features.measures.probe import LinearProbe as LinearProbe

__all__ = [
    "Draw",
    "LayerValues",
    "Measure",
    "PhotoValues",
    "UnitValues",
    "all_measures",
]
