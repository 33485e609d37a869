"""What a result says of the images that were scored."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mtlbox.engine.hooks.result_hook import _size
from mtlbox.structures import MTLDataSample


def padded(height: int, width: int) -> MTLDataSample:
    sample = MTLDataSample()
    sample.set_metainfo({'pad_shape': (height, width)})
    return sample


@pytest.mark.parametrize(
    ('batch', 'outputs', 'size'),
    [
        ({'inputs': [torch.zeros(3, 30, 50)]}, [padded(32, 64)], (32, 64)),  # as the network saw it
        ({'inputs': [torch.zeros(3, 30, 50)]}, [MTLDataSample()], (30, 50)),
        ({'inputs': torch.zeros(2, 3, 30, 50)}, [], (30, 50)),
        ({'inputs': []}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_size_is_that_at_which_images_enter_the_network(batch: Any, outputs: Any, size: tuple[int, int] | None) -> None:
    assert _size(batch, outputs) == size
