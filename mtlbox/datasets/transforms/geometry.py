"""Transforms that move pixels: the image is resampled here, each map by the rule of its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mtlbox.datasets.transforms.checks import check_colour, check_factors, check_number, check_range, check_size
from mtlbox.registry import TRANSFORMS, did_you_mean
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array, Window, mirror

Sample = dict[str, Any]


def move(sample: Sample, image: Callable[[Array], Array], label: Callable[[Task, Array], Array]) -> Sample:
    """Apply ``image`` to the image of ``sample`` and ``label(task, map)`` to each of its maps."""
    sample['img'] = image(sample['img'])
    sample['gt'] = {key: label(sample['tasks'][key], gt) for key, gt in sample['gt'].items()}
    sample['img_shape'] = sample['img'].shape[:2]
    return sample


def resize_image(image: Array, size: tuple[int, int]) -> Array:
    """Resample an image to ``size`` (H, W): bilinear to enlarge, by area to reduce."""
    if image.shape[:2] == tuple(size):
        return image
    shrinks = size[0] < image.shape[0] or size[1] < image.shape[1]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def pad_image(image: Array, size: tuple[int, int], top: int, left: int, fill: Sequence[float]) -> Array:
    """Extend an image to ``size`` (H, W) by the colour ``fill``: ``top`` rows above, ``left`` columns before it."""
    bottom, right = size[0] - image.shape[0] - top, size[1] - image.shape[1] - left
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=tuple(fill))


def zoom_window(sample: Sample, size: tuple[int, int], zoom: float, window: Window) -> Sample:
    """Return ``window`` of ``sample`` after it was enlarged by ``zoom`` to ``size`` (H, W)."""
    top, left, height, width = window
    return move(
        sample,
        lambda x: np.ascontiguousarray(resize_image(x, size)[top : top + height, left : left + width]),
        lambda task, gt: task.resize_window(gt, size, window, zoom),
    )


def pad_sample(sample: Sample, size: tuple[int, int], top: int, left: int, fill: Sequence[float]) -> Sample:
    """Extend image and maps to ``size`` (H, W), as :func:`pad_image`; maps by their tasks' ignore values."""
    if sample['img'].shape[:2] == tuple(size):
        return sample
    return move(
        sample,
        lambda x: pad_image(x, size, top, left, fill),
        lambda task, gt: task.pad(gt, size, top, left),
    )


@TRANSFORMS.register_module()
class Resize(BaseTransform):
    """Bring image and maps to one size; the aspect ratio may change.

    Args:
        size: (H, W).
        labels: Whether the maps are resampled too. At test time leave them, so that predictions, which are brought
            back to the image's own size, meet the labels as they were given. ``gt_shape`` of the sample is then their
            (H, W), for the maps that stand for missing ones.

    Raises:
        ValueError: ``size`` is not two whole numbers from 1.
    """

    def __init__(self, *, size: Sequence[int], labels: bool = True) -> None:
        self.size, self.labels = check_size(size), labels

    def transform(self, sample: Sample) -> Sample:
        """Resample."""
        if self.labels:
            return move(sample, lambda x: resize_image(x, self.size), lambda task, gt: task.resize(gt, self.size))
        sample.setdefault('gt_shape', sample['img'].shape[:2])
        return move(sample, lambda x: resize_image(x, self.size), lambda task, gt: gt)


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Enlarge by a random factor s, as if the camera came nearer: depths are divided by s.

    Args:
        scale: Range that s is drawn from, uniformly; (0.5, 2.0) where neither it nor ``choices`` is given.
        choices: Values that s is one of, in place of a range.
        keep_size: Cut what is too large, and pad what is too small, about the centre to the size that it had (ASTMT,
            the survey); else the size changes with s.
        fill: RGB that the image is padded with; the maps are padded with their tasks' ignore values.

    Raises:
        ValueError: A factor is not positive and finite, there is none, the range's lower end is not the first, both
            ``scale`` and ``choices`` are given, or ``fill`` is not three numbers in 0..255.
    """

    def __init__(
        self,
        *,
        scale: Sequence[float] | None = None,
        choices: Sequence[float] | None = None,
        keep_size: bool = False,
        fill: Sequence[float] = (0, 0, 0),
    ) -> None:
        if scale is not None and choices is not None:
            raise ValueError(f'scale and choices exclude each other, but are {scale!r} and {choices!r}: leave one out.')
        self.scale = check_range('scale', (0.5, 2.0) if scale is None else scale)
        if self.scale[0] <= 0:
            raise ValueError(f'scale must be a range of positive factors, but is {self.scale}.')
        self.choices = None if choices is None else check_factors('choices', choices)
        self.keep_size, self.fill = keep_size, check_colour('fill', fill)

    def draw(self, sample: Sample) -> tuple[tuple[int, int], float]:
        """Draw s; return the size (H, W) that ``sample`` then has, and s."""
        rng = sample['rng']
        zoom = float(rng.uniform(*self.scale) if self.choices is None else rng.choice(self.choices))
        height, width = sample['img'].shape[:2]
        return (max(1, round(height * zoom)), max(1, round(width * zoom))), zoom

    def transform(self, sample: Sample) -> Sample:
        """Draw s and resample."""
        size, zoom = self.draw(sample)
        if not self.keep_size:
            return move(sample, lambda x: resize_image(x, size), lambda task, gt: task.resize(gt, size, zoom))
        kept = sample['img'].shape[:2]
        h, w = min(size[0], kept[0]), min(size[1], kept[1])
        sample = zoom_window(sample, size, zoom, ((size[0] - h) // 2, (size[1] - w) // 2, h, w))
        return pad_sample(sample, kept, (kept[0] - h) // 2, (kept[1] - w) // 2, self.fill)


@TRANSFORMS.register_module()
class RandomCrop(BaseTransform):
    """Cut a random window; what is smaller is padded at the bottom and right first.

    Args:
        size: (H, W) of the window.
        pad: Whether what is smaller is padded; else it stays smaller, and ``min_size`` of the data preprocessor pads
            the batch after the image was normalised, which no change of colours reaches (ATRC).
        fill: RGB that the image is padded with; the maps are padded with their tasks' ignore values.
        cat_max: The window is drawn again, at most ten times, while one class fills more than this share of
            the labelled pixels of ``cat_task``.
        cat_task: Key of the class task that ``cat_max`` looks at; a sample without its label is cut anywhere.

    Raises:
        ValueError: ``size`` is not two whole numbers from 1, ``fill`` not three numbers in 0..255, or ``cat_max`` is
            not above 0 and up to 1, or has no ``cat_task``.
    """

    def __init__(
        self,
        *,
        size: Sequence[int],
        pad: bool = True,
        fill: Sequence[float] = (0, 0, 0),
        cat_max: float = 1.0,
        cat_task: str | None = None,
    ) -> None:
        self.size, self.cat_max = check_size(size), check_number('cat_max', cat_max, 0, 1)
        if cat_max == 0:
            raise ValueError('cat_max must be above 0: some class fills a share of every window.')
        if cat_max < 1 and cat_task is None:
            raise ValueError('cat_max needs cat_task: the key of the task whose classes it looks at.')
        self.pad, self.fill, self.cat_task = pad, check_colour('fill', fill), cat_task

    def check_tasks(self, tasks: Mapping[str, Task]) -> None:
        """Raise ValueError if ``cat_task`` is none of ``tasks``, or its maps do not hold classes."""
        if self.cat_task is None:
            return
        if self.cat_task not in tasks:
            near = did_you_mean(self.cat_task, tasks)
            raise ValueError(
                f'cat_task of RandomCrop is {self.cat_task!r}, which is no task.{near} '
                'Without a task of classes leave cat_max and cat_task out.'
            )
        if not tasks[self.cat_task].has_classes():
            fitting = [key for key, task in tasks.items() if task.has_classes()]
            raise ValueError(
                f'cat_task of RandomCrop must be a task of classes ({", ".join(fitting) or "there is none"}), '
                f'but {self.cat_task!r} is a {type(tasks[self.cat_task]).__name__}.'
            )

    def transform(self, sample: Sample) -> Sample:
        """Draw a window, cut it, and pad it where needed; raise ValueError as :meth:`check_tasks` does."""
        self.check_tasks(sample['tasks'])
        window = self._draw(sample, sample['img'].shape[:2])
        top, left, h, w = window
        sample = move(
            sample,
            lambda x: np.ascontiguousarray(x[top : top + h, left : left + w]),
            lambda task, gt: task.crop(gt, *window),
        )
        return self._padded(sample)

    def _draw(self, sample: Sample, size: tuple[int, int]) -> Window:
        """Draw a window of a picture of ``size`` (H, W), which the map of ``cat_task`` must have already."""
        h, w = min(size[0], self.size[0]), min(size[1], self.size[1])
        for _ in range(10):
            top = int(sample['rng'].integers(0, size[0] - h + 1))
            left = int(sample['rng'].integers(0, size[1] - w + 1))
            if self._is_mixed(sample, top, left):
                break
        return top, left, h, w

    def _is_mixed(self, sample: Sample, top: int, left: int) -> bool:
        if self.cat_max >= 1 or self.cat_task not in sample['gt']:
            return True
        ignore = sample['tasks'][self.cat_task].ignore_value
        window = sample['gt'][self.cat_task][top : top + self.size[0], left : left + self.size[1]]
        counts = _count(window)
        counts[int(ignore)] = 0
        return bool(counts.max() < self.cat_max * counts.sum())

    def _padded(self, sample: Sample) -> Sample:
        height, width = sample['img'].shape[:2]
        size = (max(height, self.size[0]), max(width, self.size[1])) if self.pad else (height, width)
        return pad_sample(sample, size, 0, 0, self.fill)


@TRANSFORMS.register_module()
class RandomScaleCrop(RandomCrop):
    """:class:`RandomScale`, then :class:`RandomCrop`: the same draws and the same result, with less work.

    What is computed of each pixel (depths divided, normals brought to unit length) is computed in the window alone. The
    whole is resampled all the same: where between two pixels OpenCV samples depends on where the picture begins, so
    that a window cut first, at whole pixels, would come out moved by up to half a pixel.

    Args:
        scale, choices: As in :class:`RandomScale`.
        size, pad, fill, cat_max, cat_task: As in :class:`RandomCrop`.
    """

    def __init__(
        self,
        *,
        size: Sequence[int],
        scale: Sequence[float] | None = None,
        choices: Sequence[float] | None = None,
        pad: bool = True,
        fill: Sequence[float] = (0, 0, 0),
        cat_max: float = 1.0,
        cat_task: str | None = None,
    ) -> None:
        super().__init__(size=size, pad=pad, fill=fill, cat_max=cat_max, cat_task=cat_task)
        self.zoom = RandomScale(scale=scale, choices=choices)

    def transform(self, sample: Sample) -> Sample:
        """Draw s and a window of what is enlarged by s; make that window. Raises as :meth:`check_tasks`."""
        self.check_tasks(sample['tasks'])
        size, zoom = self.zoom.draw(sample)
        if self.cat_max < 1 and self.cat_task in sample['gt']:
            classes = sample['tasks'][self.cat_task].resize(sample['gt'][self.cat_task], size)
            sample['gt'] = {**sample['gt'], self.cat_task: classes}
        return self._padded(zoom_window(sample, size, zoom, self._draw(sample, size)))


def _count(classes: Array) -> Array:
    """Return how often each of 0 to 255 occurs."""
    if classes.dtype == np.uint8:  # a tenth of the time of NumPy
        return cv2.calcHist([classes], [0], None, [256], [0, 256]).ravel().astype(np.int64)
    return np.bincount(classes.ravel(), minlength=256)


@TRANSFORMS.register_module()
class RandomFlip(BaseTransform):
    """Mirror left to right; normals point the other way in x afterwards.

    Args:
        prob: How often.

    Raises:
        ValueError: ``prob`` is not in 0..1.
    """

    def __init__(self, *, prob: float = 0.5) -> None:
        self.prob = check_number('prob', prob, 0, 1)

    def transform(self, sample: Sample) -> Sample:
        """Mirror, or not."""
        sample['flip'] = bool(sample['rng'].random() < self.prob)
        if not sample['flip']:
            return sample
        return move(sample, mirror, lambda task, gt: task.hflip(gt))


@TRANSFORMS.register_module()
class RandomRotate(BaseTransform):
    """Turn about the image's centre; normals turn with the image plane, the corners become ignored.

    Args:
        degrees: Range that the angle is drawn from, uniformly; one number d means (-d, d).
        prob: How often.
        fill: RGB of the corners.

    Raises:
        ValueError: ``degrees`` is no range, or its lower end is not the first; ``prob`` is not in 0..1, or ``fill`` not
            three numbers in 0..255.
    """

    def __init__(
        self, *, degrees: float | Sequence[float] = 10.0, prob: float = 1.0, fill: Sequence[float] = (0, 0, 0)
    ) -> None:
        self.degrees = check_range('degrees', (-degrees, degrees) if isinstance(degrees, (int, float)) else degrees)
        self.prob, self.fill = check_number('prob', prob, 0, 1), check_colour('fill', fill)

    def transform(self, sample: Sample) -> Sample:
        """Draw an angle and resample."""
        if sample['rng'].random() >= self.prob:
            return sample
        angle = float(sample['rng'].uniform(*self.degrees))
        return move(sample, lambda x: self._turn(x, angle), lambda task, gt: task.rotate(gt, angle))

    def _turn(self, image: Array, angle: float) -> Array:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
        return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=self.fill)
