"""Data sets of faces: where the photos are, who is in them, and on what terms.

A data set is one file here with one class derived from `FaceSource`; see `orl.py` for a short one.
"""

from facenet_demo.data.sources.base import FaceSource
from facenet_demo.data.sources.folder import Folder
from facenet_demo.data.sources.lfw import LFW
from facenet_demo.data.sources.orl import ORL
from facenet_demo.data.sources.utkface import UTKFace

__all__ = ["LFW", "ORL", "FaceSource", "Folder", "UTKFace"]
