"""Name the people in photos and videos, or say that they are strangers.

    predictor = Predictor("runs/orl-20260131-142501")
    result = predictor("photo.jpg")
    [(face.name, face.probability) for face in result.faces]     # name None: a stranger

    Predictor("model.onnx")                         # what scripts/export.py wrote
    Predictor("runs/...", gallery="people/")        # people it was never trained on

What the network sees of a photo is what training saw: the same reading, detector, alignment and
window.

Each name is imported when it is first asked for: command lines lie here, too, which bring nothing
heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["Guess", "PhotoResult", "Prediction", "Predictor"]

if TYPE_CHECKING:  # the same again, for type checkers and editors
    from facenet_demo.predict.predictor import Predictor
    from facenet_demo.predict.results import Guess, PhotoResult, Prediction
else:  # hidden from them: they would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = "predictor" if name == "Predictor" else "results"
        return getattr(import_module(f"{__name__}.{module}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
