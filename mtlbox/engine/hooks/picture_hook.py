"""Pictures of what the model sees: input, prediction and truth of all tasks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mtlbox.datasets.image_file import write_png
from mtlbox.registry import HOOKS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task
from mtlbox.tasks.palette import Palette
from mtlbox.visualization.draw import draw_tasks


@HOOKS.register_module()
class PictureHook(Hook):
    """Draws input, prediction and truth of all tasks for some images of each validation or test.

    A picture is called like its ``sample_id``, with ``_`` for ``/``, after its ``domain`` where it has one.

    Args:
        num_images: How many of the first process's images, from the first on; if negative all images, of all processes.
        out_dir: Folder of the pictures; ``pictures`` in the work directory where not given. A validation writes into
            a folder named after its iteration.
    """

    def __init__(self, *, num_images: int = 8, out_dir: str | None = None) -> None:
        self.num_images, self.out_dir = num_images, out_dir
        self._drawn = 0

    def before_val_epoch(self, runner: Runner) -> None:
        """Start anew."""
        self._drawn = 0

    def before_test_epoch(self, runner: Runner) -> None:
        """Start anew."""
        self._drawn = 0

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[MTLDataSample] | None = None
    ) -> None:
        """Draw the samples of a validation batch."""
        self._draw(runner, runner.val_dataloader.dataset, data_batch, outputs or (), f'iter_{runner.iter}')

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[MTLDataSample] | None = None
    ) -> None:
        """Draw the samples of a test batch."""
        self._draw(runner, runner.test_dataloader.dataset, data_batch, outputs or (), 'test')

    def _draw(self, runner: Runner, dataset: Any, batch: Any, samples: Sequence[MTLDataSample], folder: str) -> None:
        if self.num_images >= 0 and not is_main_process():
            return
        palettes = (getattr(dataset, 'metainfo', None) or {}).get('palettes')
        for image, sample in zip(batch['inputs'], samples):
            if 0 <= self.num_images <= self._drawn:
                return
            name = str(sample.get('sample_id', self._drawn)).replace('/', '_')
            name = '_'.join(filter(None, (sample.get('domain'), name)))
            out = Path(self.out_dir or Path(runner.work_dir, 'pictures', folder))
            out.mkdir(parents=True, exist_ok=True)
            write_png(out / f'{name}.png', draw_sample(image, sample, _tasks(runner), palettes))
            self._drawn += 1


def draw_sample(
    image: Any, sample: MTLDataSample, tasks: dict[str, Task], palettes: Mapping[str, Palette] | None = None
) -> Any:
    """Return the picture, RGB uint8 ``(H, W, 3)``, of an image ``(3, H, W)`` in 0..255 and its sample.

    ``palettes`` are those of :func:`~mtlbox.visualization.draw_tasks`.
    """
    pixels = image.detach().cpu().numpy().clip(0, 255).astype('uint8').transpose(1, 2, 0)
    height, width = sample.ori_shape
    pixels = cv2.resize(pixels, (width, height)) if pixels.shape[:2] != (height, width) else pixels
    rows: dict[str, dict] = {'prediction': {key: task.unpack(sample.map('pred', key)) for key, task in tasks.items()}}
    rows['truth'] = {
        key: task.unpack(sample.map('gt', key)) for key, task in tasks.items() if sample.gt.get(key).labelled
    }
    return draw_tasks(pixels, rows, tasks, palettes=palettes)


def _tasks(runner: Runner) -> dict[str, Task]:
    model = runner.model.module if hasattr(runner.model, 'module') else runner.model
    return model.tasks
