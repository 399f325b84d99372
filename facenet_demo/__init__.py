"""Train a face CNN, see what its layers learn, and measure it.

    import facenet_demo as fd

    run = fd.train(fd.Recipe(...))                  # photos -> a run folder
    trained = fd.load(run.folder / "checkpoints/best.ckpt")
    fd.Predictor(run.folder)("photo.jpg").faces     # who is in it

    with fd.Trace(trained.network, ["stages.2"]) as trace:    # what a layer puts out
        trained.network(windows)
    fd.observe(...)                                 # one pass, many instruments
    fd.measure(...)                                 # layer by layer: edges, parts, people

Each is imported when it is first asked for: this module alone brings nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["Predictor", "Recipe", "Trace", "load", "measure", "observe", "train"]

if TYPE_CHECKING:  # the same again, for type checkers and editors
    from facenet_demo.features.observe import observe
    from facenet_demo.features.progression import measure
    from facenet_demo.features.trace import Trace
    from facenet_demo.networks.checkpoints import load_checkpoint as load
    from facenet_demo.predict.predictor import Predictor
    from facenet_demo.training.recipe import Recipe
    from facenet_demo.training.train import train
else:  # hidden from them: they would take any name for one that is there
    _PLACES = {
        "Predictor": ("predict.predictor", "Predictor"),
        "Recipe": ("training.recipe", "Recipe"),
        "Trace": ("features.trace", "Trace"),
        "load": ("networks.checkpoints", "load_checkpoint"),
        "measure": ("features.progression", "measure"),
        "observe": ("features.observe", "observe"),
        "train": ("training.train", "train"),
    }

    def __getattr__(name: str) -> object:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, attribute = _PLACES[name]
        return getattr(import_module(f"{__name__}.{module}"), attribute)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
