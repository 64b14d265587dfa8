"""The algorithm: phases, the skorch trainer that runs them, and callbacks."""

from .callbacks import StopTraining
from .phase import Phase
from .trainer import Trainer

__all__ = ["Phase", "StopTraining", "Trainer"]
