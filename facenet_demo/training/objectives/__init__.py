"""What a network can be trained for: one file each, found by its name."""

from facenet_demo.training.objectives.base import Goal, Objective
from facenet_demo.training.objectives.margin import Margin
from facenet_demo.training.objectives.naming import Naming
from facenet_demo.training.objectives.numbers import Numbers

__all__ = ["Goal", "Margin", "Naming", "Numbers", "Objective"]
