"""Transforms: what happens to a sample between file and model."""

from mtlbox.datasets.transforms.geometry import (
    RandomCrop,
    RandomFlip,
    RandomRotate,
    RandomScale,
    RandomScaleCrop,
    Resize,
)
from mtlbox.datasets.transforms.packing import PackMultiTaskInputs
from mtlbox.datasets.transforms.photometry import PhotometricDistortion

__all__ = [
    'PackMultiTaskInputs',
    'PhotometricDistortion',
    'RandomCrop',
    'RandomFlip',
    'RandomRotate',
    'RandomScale',
    'RandomScaleCrop',
    'Resize',
]
