"""The algorithm: phases, the skorch trainer that runs them, callbacks, and augmentations."""

from .augment import RandomAugmentation
from .callbacks import StopTraining
from .phase import Phase
from .trainer import Trainer

__all__ = ["Phase", "RandomAugmentation", "StopTraining", "Trainer"]
