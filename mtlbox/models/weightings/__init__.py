"""Weightings: how the losses of several tasks become one."""

from mtlbox.models.weightings.base import Weighting
from mtlbox.models.weightings.fixed import FixedWeighting
from mtlbox.models.weightings.uncertainty import UncertaintyWeighting

__all__ = ['FixedWeighting', 'UncertaintyWeighting', 'Weighting']
