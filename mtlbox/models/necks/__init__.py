"""Task-interaction necks: one file per decoder-focused method."""

from mtlbox.models.necks.base import TaskNeck
from mtlbox.models.necks.ctal import CTAL
from mtlbox.models.necks.ctal_multi_scale import CTALMultiScale
from mtlbox.models.necks.demt import DeMT
from mtlbox.models.necks.global_attention import GlobalAttention
from mtlbox.models.necks.initial import InitialPredictionNeck
from mtlbox.models.necks.initial_concat import InitialConcat
from mtlbox.models.necks.mtformer import MTFormer
from mtlbox.models.necks.mti_net import MTINet
from mtlbox.models.necks.multi_scale import MultiScaleNeck
from mtlbox.models.necks.pad_net import PADNet
from mtlbox.models.necks.pap_net import PAPNet
from mtlbox.models.necks.pyramid_concat import PyramidConcat
from mtlbox.models.necks.tif import TIF

__all__ = [
    'CTAL',
    'TIF',
    'CTALMultiScale',
    'DeMT',
    'GlobalAttention',
    'InitialConcat',
    'InitialPredictionNeck',
    'MTFormer',
    'MTINet',
    'MultiScaleNeck',
    'PADNet',
    'PAPNet',
    'PyramidConcat',
    'TaskNeck',
]
