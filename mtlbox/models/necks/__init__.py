"""Task-interaction necks: one file per decoder-focused method."""

from mtlbox.models.necks.base import TaskNeck
from mtlbox.models.necks.ctal import CTAL
from mtlbox.models.necks.pyramid_concat import PyramidConcat

__all__ = ['CTAL', 'PyramidConcat', 'TaskNeck']
