"""The algorithm: phases, the skorch trainer that runs them, callbacks, and augmentations."""

from .augment import RandomAugmentation
from .callbacks import StopTraining
from .phase import Phase, epochs_of
from .trainer import Trainer

__all__ = ["Phase", "RandomAugmentation", "StopTraining", "Trainer", "epochs_of"]
