"""Name the people in photos and videos, or say that they are strangers.

    predictor = Predictor("runs/orl-20260131-142501")
    result = predictor("photo.jpg")
    [(face.name, face.probability) for face in result.faces]     # name None: a stranger

    Predictor("model.onnx")                         # what scripts/export.py wrote
    Predictor("runs/...", gallery="people/")        # people it was never trained on

What the network sees of a photo is what training saw: the same reading, detector, alignment and
window.
"""

from facenet_demo.predict.predictor import Predictor
from facenet_demo.predict.results import Guess, PhotoResult, Prediction

__all__ = ["Guess", "PhotoResult", "Prediction", "Predictor"]
