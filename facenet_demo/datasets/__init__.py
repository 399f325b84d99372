"""Data sets of faces: where the photos are, who is in them, and on what terms.

A data set is one file here with one class derived from `FaceSource`; see `orl.py` for a short one.
"""

from facenet_demo.datasets.base import FaceSource
from facenet_demo.datasets.folder import Folder
from facenet_demo.datasets.lfw import LFW
from facenet_demo.datasets.orl import ORL
from facenet_demo.datasets.utkface import UTKFace

__all__ = ["LFW", "ORL", "FaceSource", "Folder", "UTKFace"]
