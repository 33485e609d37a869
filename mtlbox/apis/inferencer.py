"""Predictions for images of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmengine.registry import init_default_scope

from mtlbox.compat import ensure_torchvision
from mtlbox.config import laid_out, load_config
from mtlbox.config.tasks import palettes_of
from mtlbox.datasets.image_file import read_image
from mtlbox.engine.checkpoint import load_weights, weights_of
from mtlbox.engine.pretrained import load_from_anywhere
from mtlbox.registry import MODELS, TRANSFORMS
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array


class MTLInferencer:
    """Predicts every task of a trained model for images that are not in a data set.

    Args:
        config: Config file, or one that ``load_config`` has read.
        checkpoint: Checkpoint of that config, a file or an address.
        device: Where to run; the GPU where there is one.
        size: (H, W) that images are brought to before the network; the config's ``input_size`` where not given.
            ``'native'`` leaves them as they are, for networks that take any size.
        ema: Use the averaged weights.
        cfg_options: Options for the config, as in ``load_config``.

    ``palettes`` has the colours of the classes by task, as :func:`~mtlbox.visualization.draw_tasks` takes them.

    Example::

        inferencer = MTLInferencer('configs/ctal/ctal_hrnet18_rooms.py', 'work_dirs/.../best.pth')
        depth = inferencer('photo.jpg')['depth']  # (H, W), metres

    Raises:
        FileNotFoundError: The config or the checkpoint is not there.
        CheckpointError: The checkpoint is damaged, unsafe, or of another architecture.
    """

    def __init__(
        self,
        config: str | Path | Config,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        size: Sequence[int] | str | None = None,
        ema: bool = False,
        cfg_options: Mapping[str, Any] | None = None,
    ) -> None:
        ensure_torchvision()
        cfg = config if isinstance(config, Config) else load_config(config, cfg_options, purpose='infer')
        init_default_scope(cfg.get('default_scope', 'mtlbox'))
        weights = weights_of(load_from_anywhere(str(checkpoint)), ema=ema, source=checkpoint)
        self.model = MODELS.build(laid_out(cfg.model, cfg))
        load_weights(self.model, weights, str(checkpoint))
        self.model.to(device or get_device())
        self.model.eval()
        self.tasks: dict[str, Task] = self.model.tasks
        self.palettes = palettes_of(cfg, self.tasks)
        self._pipeline = _pipeline(cfg, size)

    def __call__(self, image: str | Path | Array) -> dict[str, Array]:
        """Return ``{task: map}`` of one image, each map at the image's own size.

        Args:
            image: A picture's path, or RGB uint8 ``(H, W, 3)``.

        Returns:
            Maps as :meth:`predict` gives them.
        """
        return self.predict([image])[0]

    def predict(self, images: Sequence[str | Path | Array]) -> list[dict[str, Array]]:
        """Return ``{task: map}`` of each of a batch of images.

        Maps are ``(H, W)``, normals ``(H, W, 3)``: class numbers, metres, unit vectors, probabilities.

        Raises:
            FileNotFoundError: An image is not there.
            ValueError: An image cannot be read, or is not RGB uint8.
        """
        pixels = [read_image(image) if isinstance(image, (str, Path)) else _check(image) for image in images]
        packed = [self._pipeline(self._sample(image, i)) for i, image in enumerate(pixels)]
        batch = {'inputs': [p['inputs'] for p in packed], 'data_samples': [p['data_samples'] for p in packed]}
        with torch.inference_mode():
            samples = self.model.test_step(batch)
        return [{key: task.unpack(sample.map('pred', key)) for key, task in self.tasks.items()} for sample in samples]

    def _sample(self, image: Array, index: int) -> dict[str, Any]:
        size = image.shape[:2]
        return {
            'img': image, 'gt': {}, 'tasks': self.tasks, 'ori_shape': size, 'img_shape': size, 'sample_idx': index,
            'rng': np.random.default_rng(0),
        }  # fmt: skip


def _pipeline(cfg: Config, size: Sequence[int] | str | None) -> Compose:
    """Return the config's test transforms (of the first of several data sets), led by a resize where there is none."""
    if isinstance(size, str) and size != 'native':
        raise ValueError(f"size must be (H, W) or 'native', but is {size!r}.")
    dataset = cfg.test_dataloader.dataset
    if isinstance(dataset.get('datasets'), Mapping):
        dataset = next(iter(dataset.datasets.values()))
    steps = [dict(step) for step in dataset.pipeline]
    wanted = cfg.get('input_size') if size is None else size
    if size is not None:
        steps = [step for step in steps if step['type'] != 'Resize']
    if wanted is not None and wanted != 'native' and all(step['type'] != 'Resize' for step in steps):
        steps.insert(0, {'type': 'Resize', 'size': wanted, 'labels': False})
    return Compose([TRANSFORMS.build(step) for step in steps])


def _check(image: Array) -> Array:
    if not isinstance(image, np.ndarray):
        raise ValueError(f'An image must be a path or RGB uint8 (H, W, 3), but is {type(image).__name__}.')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f'An image must be RGB uint8 (H, W, 3), but is {image.dtype} {image.shape}.')
    return image
