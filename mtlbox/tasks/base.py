"""The base of all tasks: what is true of a task everywhere, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from inspect import signature
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray
from torch import Tensor, nn

from mtlbox.registry import TASKS
from mtlbox.tasks.palette import Palette

Likelihood = Literal['categorical', 'gaussian']
Array = NDArray[Any]
Window = tuple[int, int, int, int]
"""Top, left, height and width of a window, in pixels."""


class Task:
    """One task of a model: how its maps are encoded, how they move under geometry, how they are read and drawn.

    A task is an instance with a key; two tasks of a model may be of one class (``semseg_nyu``, ``semseg_pascal``).
    What a family of papers fixes together (losses, weights, metrics, augmentation) is a protocol config, not a task.
    Ground truth is held as an array ``(H, W)`` or ``(H, W, C)`` in the pipeline and as a tensor ``(C, H, W)`` in a
    data sample. A new task is a subclass that overrides what differs.

    Args:
        key: The task's name in configs, log keys and data samples.
    """

    channels: int = 1
    """Channels K of the logits that a head makes for it."""
    gt_channels: ClassVar[int] = 1
    """Channels C of its ground truth and of its decoded prediction."""
    dtype: ClassVar[torch.dtype] = torch.float32
    """Type of the ground truth that losses and metrics meet."""
    ignore_value: ClassVar[float] = 0.0
    """Value of the pixels that have no label; also what padding is filled with."""
    interpolation: ClassVar[int] = cv2.INTER_NEAREST
    """How a map is resampled; nearest unless mixing neighbours is meaningful."""
    kinds: ClassVar[str] = 'f'
    """NumPy's letters for the dtypes that its ground truth may have: f for floats, i and u for integers."""
    likelihood: ClassVar[Likelihood] = 'gaussian'
    """Noise model of its output, which fixes its term in uncertainty weighting (Kendall et al., CVPR 2018)."""
    primary_score: ClassVar[str]
    """The score that stands for the task in delta_m, unless a protocol names another."""
    higher_is_better: ClassVar[bool]
    """Direction of the primary score."""
    unit: ClassVar[str] = ''
    """Unit of its numbers, where they have one."""
    flaw: ClassVar[str] = ''
    """What :meth:`flawed` counts."""

    def __init__(self, *, key: str) -> None:
        if not isinstance(key, str) or not key or '/' in key or '.' in key:
            raise ValueError(f"A task's key must be a non-empty name without '/' and '.', but is {key!r}.")
        if key in _TAKEN:
            raise ValueError(
                f"A task's key cannot be {key!r}, which is {_TAKEN[key]}. Take another one, e.g. {key + '_map'!r}."
            )
        self.key = key

    def __repr__(self) -> str:
        return f'{type(self).__name__}(key={self.key!r})'

    @classmethod
    def has_classes(cls) -> bool:
        """Return whether the maps hold numbers of classes, and not quantities: :attr:`dtype` is of whole numbers."""
        return not cls.dtype.is_floating_point

    # -- geometry: called by the transforms on ground truth --------------------------------------------------------

    def resample(self, array: Array, size: tuple[int, int]) -> Array:
        """Resample a map, be it ground truth or a prediction, to ``size`` (H, W)."""
        if array.shape[:2] == tuple(size):
            return array
        resampled = cv2.resize(_for_opencv(array), (size[1], size[0]), interpolation=self.interpolation)
        return resampled.astype(array.dtype, copy=False)

    def resize(self, gt: Array, size: tuple[int, int], zoom: float = 1.0) -> Array:
        """Resample ``gt`` to ``size`` (H, W).

        ``zoom`` is the factor by which the camera came nearer: 1 where an image is only brought to another
        resolution, s where an augmentation enlarges the content by s and crops. See :meth:`on_zoom`.
        """
        gt = self.resample(gt, size)
        return gt if zoom == 1.0 else self.on_zoom(gt, zoom)

    def rescale(self, gt: Array, size: tuple[int, int]) -> Array:
        """Bring ``gt`` to the ``size`` (H, W) that it is stored at from now on; by default as :meth:`resize` does."""
        return self.resize(gt, size)

    def on_zoom(self, gt: Array, zoom: float) -> Array:
        """Change the values of a map whose content was enlarged by ``zoom``; nothing by default.

        Where a crop follows, ``gt`` is that crop alone, of which it must make what a crop of the whole would be.
        """
        return gt

    def resize_window(self, gt: Array, size: tuple[int, int], window: Window, zoom: float = 1.0) -> Array:
        """Return ``window`` of what :meth:`resize` makes, without changing the values of what is cut off."""
        cut = self.crop(self.resize(gt, size), *window)
        return cut if zoom == 1.0 else self.on_zoom(cut, zoom)

    def hflip(self, gt: Array) -> Array:
        """Mirror ``gt`` left to right."""
        return mirror(gt)

    def rotate(self, gt: Array, degrees: float) -> Array:
        """Turn ``gt`` about its centre, counter-clockwise as seen, by ``degrees``; corners become ignored."""
        return self.warp_rotation(gt, degrees, border=self.ignore_value)

    def warp_rotation(self, array: Array, degrees: float, *, border: float) -> Array:
        """Resample ``array`` turned about its centre; the part that enters is filled with ``border``."""
        height, width = array.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
        turned = cv2.warpAffine(
            _for_opencv(array),
            matrix,
            (width, height),
            flags=self.interpolation,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(border,) * 4,
        )
        return turned.astype(array.dtype, copy=False)

    def crop(self, gt: Array, top: int, left: int, height: int, width: int) -> Array:
        """Cut the window of ``height`` x ``width`` at ``(top, left)`` out of ``gt``."""
        return np.ascontiguousarray(gt[top : top + height, left : left + width])

    def pad(self, gt: Array, size: tuple[int, int], top: int = 0, left: int = 0) -> Array:
        """Extend ``gt`` to ``size`` (H, W) with the ignore value: ``top`` rows above and ``left`` columns before it."""
        height, width = gt.shape[:2]
        widths = [(top, size[0] - height - top), (left, size[1] - width - left)] + [(0, 0)] * (gt.ndim - 2)
        return np.pad(gt, widths, constant_values=self.ignore_value)

    # -- encoding ---------------------------------------------------------------------------------------------------

    def check(self, gt: Array, where: str) -> None:
        """Raise ValueError, naming ``where``, if ``gt`` is not a legal map of this task."""
        want = (2,) if self.gt_channels == 1 else (3,)
        if gt.ndim not in want or (gt.ndim == 3 and gt.shape[2] != self.gt_channels):
            shape = '(H, W)' if self.gt_channels == 1 else f'(H, W, {self.gt_channels})'
            raise ValueError(f'{where}: the map of {self.key!r} must have shape {shape}, but has {gt.shape}.')
        self.check_values(gt, where)

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError if ``gt`` holds a value that this task does not know.

        The base refuses NaN, inf and dtypes that are not among ``kinds``: bool has no room for the ignore value, and
        integers in the place of floats are mostly another unit.
        """
        if gt.dtype.kind not in self.kinds:
            legal = ' or '.join(word for kind, word in (('f', 'floats'), ('i', 'integers')) if kind in self.kinds)
            raise ValueError(f'{where}: the map of {self.key!r} must hold {legal}, but has dtype {gt.dtype}.')
        if gt.dtype.kind == 'f' and not (np.isfinite(gt.min()) and np.isfinite(gt.max())):  # NaN is either's
            bad = int((~np.isfinite(gt)).sum())
            raise ValueError(
                f'{where}: the map of {self.key!r} holds {bad} NaN or infinite values. '
                f'Pixels without a label must be {self.ignore_value:g}.'
            )

    def doubt(self, gt: Array, *, usual: tuple[float, float] | None = None, lossy: bool = False) -> str:
        """Say what looks wrong in a map that is legal, e.g. the unit of its numbers; '' where nothing does.

        Args:
            gt: The map.
            usual: Between what its median lies in the data set, where that is known.
            lossy: Whether it comes from a format that blurs it, as JPEG does.
        """
        return ''

    def flawed(self, gt: Array) -> float | None:
        """Return the share of the pixels that are not as the task has them (:attr:`flaw`); None where none can be."""
        return None

    def empty(self, size: tuple[int, int]) -> Array:
        """Return the all-ignore map of ``size`` (H, W) that stands for a missing label."""
        shape = size if self.gt_channels == 1 else (*size, self.gt_channels)
        kind = np.uint8 if self.has_classes() else np.float32
        return np.full(shape, self.ignore_value, dtype=kind)

    def pack(self, gt: Array) -> Tensor:
        """Turn ``gt`` into a tensor ``(C, H, W)``, a copy; uint8 stays uint8, all else gets :attr:`dtype`.

        So a map of bytes passes from process to process, and to the device, as bytes; see :meth:`widen`.
        """
        if gt.dtype == np.uint8:
            return torch.from_numpy(gt.copy()[None] if gt.ndim == 2 else planes(gt))
        kind = np.int64 if self.has_classes() else np.float32
        array = gt.astype(kind)[None] if gt.ndim == 2 else planes(gt.astype(kind, copy=False))
        return self.widen(torch.from_numpy(array))

    def widen(self, packed: Tensor) -> Tensor:
        """Return a packed map in :attr:`dtype`."""
        return packed.to(self.dtype)

    def unpack(self, packed: Tensor) -> Array:
        """Turn a tensor ``(C, H, W)`` back into ``(H, W)`` or ``(H, W, C)``."""
        array = packed.detach().cpu().numpy()
        return array[0] if self.gt_channels == 1 else array.transpose(1, 2, 0)

    def valid(self, gt: Tensor) -> Tensor:
        """Return which pixels of a packed map ``(B, C, H, W)`` have a label, as bool ``(B, H, W)``."""
        return gt[:, 0] != self.ignore_value

    def is_labelled(self, gt: Array) -> bool:
        """Return whether ``gt`` has a label anywhere; mostly a few of its pixels are enough to tell."""
        return any(bool(self.valid(self.pack(part)[None]).any()) for part in (gt[::_STRIDE, ::_STRIDE], gt))

    def derive(self, image: Array) -> Array | None:
        """Return the map computed from the image ``(H, W, 3)``, for tasks whose label the image itself gives."""
        return None

    # -- predictions ------------------------------------------------------------------------------------------------

    def decode(self, logits: Tensor) -> Tensor:
        """Turn logits ``(B, K, H, W)`` into a prediction ``(B, C, H, W)``."""
        return logits

    def constant(self, maps: Iterable[Array]) -> Array:
        """Return the best prediction ``(C,)`` that ignores the image, from training maps: by default their mean."""
        total, count = np.zeros(self.gt_channels), 0
        for gt in maps:
            packed = self.pack(gt)[None]
            kept = packed[0][:, self.valid(packed)[0]]
            total += kept.double().sum(1).numpy()
            count += kept.shape[1]
        return total / max(count, 1)

    def draw(self, prediction: Array, reference: Array | None = None, palette: Palette | None = None) -> Array:
        """Draw a map as RGB uint8.

        Args:
            prediction: ``(H, W)`` or ``(H, W, C)``.
            reference: The map that the range is taken from, where it is not the prediction's own.
            palette: RGB of the classes, of a task whose data set names any; given to no other.

        Returns:
            ``(H, W, 3)``.
        """
        kept = prediction if reference is None else reference
        kept = kept[kept != self.ignore_value]
        low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 1.0)
        scaled = np.clip((prediction - low) / max(high - low, 1e-6), 0, 1)
        grey = (scaled * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)

    def to_uint16(self, prediction: Array) -> Array:
        """Encode a prediction for a 16-bit PNG; by default values in 0..1 become 0..65535."""
        return np.round(np.clip(prediction, 0, 1) * 65535).astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Decode a prediction from the integers of a picture; by default their full scale is 1, as in ``to_uint16``.

        Raises:
            ValueError: What the integers mean is not known.
        """
        if stored.dtype not in (np.uint8, np.uint16):
            raise ValueError(f'{self.key!r} in {stored.dtype}: only uint8 and uint16 have a full scale')
        return stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max)


_TAKEN = {
    **dict.fromkeys(dir(nn.ModuleDict()), "an attribute of torch's ModuleDict, in which the heads are kept"),
    **dict.fromkeys(dir(BaseDataElement()), "an attribute of mmengine's data elements, in which the maps are kept"),
    **dict.fromkeys(dir({}), 'a method of dicts, as configs are'),
    'type': 'what names a component in a config',
    'neck': "what the neck's own losses are logged under",
}
"""Names that no task can have, and why."""


def mirror(array: Array) -> Array:
    """Return a picture or map ``(H, W)`` or ``(H, W, C)`` mirrored left to right, as a new array."""
    return cv2.flip(array, 1) if _is_opencv(array) else np.ascontiguousarray(array[:, ::-1])


def planes(array: Array) -> Array:
    """Return a picture or map ``(H, W, C)`` as ``(C, H, W)``, contiguous, as a new array."""
    out = np.empty((array.shape[2], *array.shape[:2]), dtype=array.dtype)
    if _is_opencv(array):
        cv2.split(array, list(out))
    else:
        np.copyto(out, array.transpose(2, 0, 1))
    return out


def _is_opencv(array: Array) -> bool:
    """Return whether OpenCV can move the array's pixels, for which NumPy takes up to ten times as long."""
    return array.dtype.name in _OPENCV and array.size > 0 and (array.ndim == 2 or array.shape[2] == 3)


_OPENCV = ('uint8', 'int8', 'uint16', 'int16', 'int32', 'float32', 'float64')
_STRIDE = 32  # of the rows and columns that are looked at first


def _for_opencv(array: Array) -> Array:
    """Return ``array`` as every version of OpenCV resamples it: contiguous, uint8 or float32."""
    return np.ascontiguousarray(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32)


def usual_tasks() -> dict[str, type[Task]]:
    """Return the registered tasks by the key that each has where none is given, e.g. ``{'depth': Depth}``."""
    keys = ((cls, signature(cls).parameters.get('key')) for cls in TASKS.module_dict.values())
    return {key.default: cls for cls, key in keys if key is not None and isinstance(key.default, str)}


def build_tasks(tasks: Mapping[str, Task | Mapping]) -> dict[str, Task]:
    """Build ``{key: config}`` into ``{key: Task}``; tasks that are built already are taken as they are.

    Raises:
        ValueError: There is no task, or a task is registered under another key than its own.
        TypeError: ``tasks`` is not a mapping.
    """
    if not isinstance(tasks, Mapping):
        raise TypeError(
            "tasks must be a dict from key to task, e.g. dict(depth=dict(type='Depth')), "
            f'but is {type(tasks).__name__}: {tasks!r}.'
        )
    if not tasks:
        raise ValueError('tasks is empty: name at least one task.')
    built = {key: task if isinstance(task, Task) else TASKS.build({'key': key, **task}) for key, task in tasks.items()}
    for key, task in built.items():
        if task.key != key:
            raise ValueError(f'The task under {key!r} has the key {task.key!r}; the two must be equal.')
    return built
