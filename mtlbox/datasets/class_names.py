"""Names of the classes of the data sets, in the order of their numbers, here where all of them can be seen."""

from __future__ import annotations

CITYSCAPES_19_CLASSES = (
    'road', 'sidewalk', 'building', 'wall', 'fence', 'pole', 'traffic light', 'traffic sign', 'vegetation', 'terrain',
    'sky', 'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle',
)  # fmt: skip
"""Names of the classes 0..18, in Cityscapes' training order."""

CITYSCAPES_7_CLASSES = ('flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')
"""Names of the categories 0..6."""

VKITTI2_14_CLASSES = (
    'terrain', 'sky', 'tree', 'vegetation', 'building', 'road', 'guard rail', 'traffic sign', 'traffic light', 'pole',
    'misc', 'truck', 'car', 'van',
)  # fmt: skip
"""Names of the classes 0..13, in the order of Virtual KITTI's list of colours, without what is undefined."""

SYNTHIA_22_CLASSES = (
    'sky', 'building', 'road', 'sidewalk', 'fence', 'vegetation', 'pole', 'car', 'traffic sign', 'pedestrian',
    'bicycle', 'motorcycle', 'parking slot', 'road work', 'traffic light', 'terrain', 'rider', 'truck', 'bus', 'train',
    'wall', 'lane marking',
)  # fmt: skip
"""Names of the classes 0..21, which are stored as 1..22."""

TASKONOMY_17_CLASSES = (
    'background', 'bottle', 'chair', 'couch', 'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'microwave',
    'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase',
)  # fmt: skip
"""Names of the classes 0..16, which are stored as 1..17."""

NYUD_40_CLASSES = (
    'wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter',
    'blinds', 'desk', 'shelves', 'curtain', 'dresser', 'pillow', 'mirror', 'floor mat', 'clothes', 'ceiling', 'books',
    'refrigerator', 'television', 'paper', 'towel', 'shower curtain', 'box', 'whiteboard', 'person', 'night stand',
    'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'other structure', 'other furniture', 'other prop',
)  # fmt: skip
"""Names of the classes 0..39, in the order of the official 40-class mapping."""

NYUV2_13_CLASSES = (
    'bed', 'books', 'ceiling', 'chair', 'floor', 'furniture', 'objects', 'picture', 'sofa', 'table', 'tv', 'wall',
    'window',
)  # fmt: skip
"""Names of the classes 0..12."""
