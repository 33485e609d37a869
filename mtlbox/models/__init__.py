"""Models and their parts."""

from mtlbox.models import backbones, heads, layers, losses, necks, weightings
from mtlbox.models.data_preprocessor import MultiTaskDataPreprocessor
from mtlbox.models.multi_task_model import MultiTaskModel
from mtlbox.models.stl import STL

__all__ = [
    'STL',
    'MultiTaskDataPreprocessor',
    'MultiTaskModel',
    'backbones',
    'heads',
    'layers',
    'losses',
    'necks',
    'weightings',
]
