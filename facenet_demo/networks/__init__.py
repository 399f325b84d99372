"""Networks that tell people apart: RGB windows in [0, 1] in, one score per person out.

Settings are plain values that a config or a checkpoint can hold; `settings.build(num_classes)`
makes the network. Every network has `embed`, the features its last linear layer reads.
"""

from facenet_demo.networks.base import FaceNetwork, NetworkSettings
from facenet_demo.networks.face_cnn import FaceCNN, FaceCNNNetwork
from facenet_demo.networks.torchvision import Torchvision

__all__ = ["FaceCNN", "FaceCNNNetwork", "FaceNetwork", "NetworkSettings", "Torchvision"]
