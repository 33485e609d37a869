"""Losses."""

from mtlbox.models.losses.base import PixelLoss, check_fit, masked_mean, share_over_ranks
from mtlbox.models.losses.pixel_losses import BalancedBCELoss, CosineLoss, CrossEntropyLoss, L1Loss

__all__ = [
    'BalancedBCELoss',
    'CosineLoss',
    'CrossEntropyLoss',
    'L1Loss',
    'PixelLoss',
    'check_fit',
    'masked_mean',
    'share_over_ranks',
]
