"""Data sets and transforms."""

from mtlbox.datasets import transforms
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.cityscapes import Cityscapes
from mtlbox.datasets.cityscapes_mtan import CityscapesMTAN
from mtlbox.datasets.images import ImageFolder
from mtlbox.datasets.joint import JointBatchSampler, JointDataset, UnmixedBatchSampler
from mtlbox.datasets.listed import ListedDataset, ScannedDataset
from mtlbox.datasets.mtan import MTANDataset
from mtlbox.datasets.nyud import NYUD
from mtlbox.datasets.nyuv2 import NYUv2
from mtlbox.datasets.pascal_context import PASCALContext
from mtlbox.datasets.rooms import RoomsDataset
from mtlbox.datasets.samplers import DefaultSampler, InfiniteSampler
from mtlbox.datasets.synthia import Synthia
from mtlbox.datasets.taskonomy import Taskonomy
from mtlbox.datasets.vkitti2 import VKITTI2

__all__ = [
    'NYUD',
    'VKITTI2',
    'Cityscapes',
    'CityscapesMTAN',
    'DefaultSampler',
    'ImageFolder',
    'InfiniteSampler',
    'JointBatchSampler',
    'JointDataset',
    'ListedDataset',
    'MTANDataset',
    'MultiTaskDataset',
    'NYUv2',
    'PASCALContext',
    'RoomsDataset',
    'ScannedDataset',
    'Synthia',
    'Taskonomy',
    'UnmixedBatchSampler',
    'transforms',
]
