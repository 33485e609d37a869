"""Rooms: an endless procedural data set of indoor scenes with exact labels for every dense task.

Nothing is downloaded: picture ``index`` of a split is drawn from a frozen random stream
(:func:`~mtlbox.datasets.room_scenes.sample_scene`) and rendered at the size that is asked for. The splits never share
a scene.

Labels, in the toolbox's encodings:

- ``semseg``: NYUv2's 13 classes; what has none of its own follows NYUv2's merge of 40 classes into 13, so that people,
  lamps and pillows are objects, doors wall, desks tables, rugs floor and curtains window.
- ``human_parts``: 0 background, 1 to 6 head, torso, upper arm, lower arm, upper leg, lower leg; a picture without a
  person is ignored as a whole (255).
- ``saliency``: the nearest salient instance. Salient are furniture, things and people, not walls, floor, ceiling,
  doors, windows, pictures and rugs. Of those that fill at least 3 % of the picture, the one with the smallest mean
  depth over its visible pixels is the foreground; where none is that large, the largest is. All zero only if none is
  visible.
- ``depth``: along the optical axis, metres. ``normals``: camera axes, facing the camera.
- ``boundary``: 1 where one of the four neighbours has another class or another instance, so lines are two pixels wide
  and a mirrored picture has the mirrored boundary. Each wall is an instance of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.raycast import Hits, Image, Ints, cast, normals
from mtlbox.datasets.room_builder import CLASSES, PARTS
from mtlbox.datasets.room_scenes import SPLITS, Scene, sample_scene
from mtlbox.datasets.room_shading import shade
from mtlbox.registry import DATASETS, did_you_mean
from mtlbox.tasks import Depth, Task

__all__ = ['CLASSES', 'PARTS', 'SPLITS', 'RoomsDataset', 'render_room']

IGNORE = 255

PALETTE = (
    (196, 80, 140), (150, 75, 30), (235, 235, 250), (240, 170, 60), (170, 140, 110), (120, 60, 60), (230, 60, 60),
    (90, 200, 120), (60, 90, 200), (250, 230, 90), (40, 40, 60), (150, 180, 200), (120, 230, 250),
)  # fmt: skip
"""RGB of the classes."""

PART_PALETTE = (
    (0, 0, 0),
    (250, 200, 150),
    (220, 60, 60),
    (250, 150, 30),
    (250, 220, 60),
    (60, 90, 220),
    (80, 200, 220),
)
"""RGB of the human parts."""
SALIENT_SHARE = 0.03
"""Share of the picture that an instance must fill to count as near rather than as a detail."""


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f'rooms: size must be (height, width) of at least 1 each, got {size}.')
    return int(size[0]), int(size[1])


def boundaries(labels: Ints) -> NDArray[np.uint8]:
    """1 at every pixel of (H, W) one of whose four neighbours has another label."""
    out = np.zeros(labels.shape, dtype=np.uint8)
    down, right = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    out[1:] |= down
    out[:-1] |= down
    out[:, 1:] |= right
    out[:, :-1] |= right
    return out


def nearest_salient(things: Ints, depth: Image, salient: Ints) -> NDArray[np.uint8]:
    """Mask (H, W) of the nearest salient instance; the rule is in the module's docstring.

    Args:
        things: (H, W) instance of every pixel.
        depth: (H, W) metres.
        salient: (K,) 1 for the instances that count.
    """
    count = np.bincount(things.ravel(), minlength=len(salient)) * salient
    if not count.any():
        return np.zeros(things.shape, dtype=np.uint8)
    mean = np.bincount(things.ravel(), weights=depth.ravel(), minlength=len(salient)) / np.maximum(count, 1)
    large = count >= SALIENT_SHARE * things.size
    winner = np.where(large, mean, np.inf).argmin() if large.any() else count.argmax()
    return (things == winner).astype(np.uint8)


def render_scene(scene: Scene, size: tuple[int, int], image: bool = True) -> dict[str, NDArray]:
    """Render a planned scene; see :func:`render_room`."""
    hits: Hits = cast(scene.shapes, scene.camera, size)
    normal = normals(scene.shapes, scene.camera, hits)
    semseg, things = scene.surface_class[hits.surface], scene.surface_thing[hits.surface]
    parts = scene.surface_part[hits.surface].astype(np.uint8)
    if not parts.any():
        parts[:] = IGNORE
    out: dict[str, NDArray] = {
        'semseg': semseg.astype(np.uint8),
        'human_parts': parts,
        'saliency': nearest_salient(things, hits.depth, scene.salient),
        'depth': hits.depth,
        'normals': normal,
        'boundary': boundaries(things * len(CLASSES) + semseg),
    }
    if image:
        out['image'] = shade(
            scene.shapes,
            scene.camera,
            hits,
            normal,
            scene.materials,
            scene.surface_material,
            scene.lighting,
            scene.noise_key,
        )
    return out


def render_room(split: str, index: int, size: tuple[int, int]) -> dict[str, NDArray]:
    """Render one picture with all its labels.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        index: Number of the picture, from 0; there is no last one.
        size: (H, W). The same scene at another size is rendered anew, not resized.

    Returns:
        ``image`` (H, W, 3) uint8 RGB, ``semseg``, ``human_parts``, ``saliency``, ``boundary`` (H, W) uint8,
        ``depth`` (H, W) and ``normals`` (H, W, 3) float32.

    Raises:
        ValueError: For an unknown split, a negative index or a size below 1.

    Examples:
        >>> room = render_room('val', 0, (48, 64))
        >>> room['image'].shape, room['image'].dtype.name
        ((48, 64, 3), 'uint8')
        >>> bool((room['depth'] > 0).all())
        True
    """
    return render_scene(sample_scene(split, index), _checked_size(size))


@DATASETS.register_module()
class RoomsDataset(MultiTaskDataset):
    """Procedural indoor rooms with exact labels of six tasks, rendered on the fly.

    A picture without a person has no label of human parts.

    Args:
        tasks: The model's tasks by key, built or as configs.
        length: Number of pictures: those from 0 to ``length - 1`` of the split.
        split: ``'train'``, ``'val'`` or ``'test'``.
        size: (H, W) at which the pictures are rendered.
        cache: Keep what was rendered in memory, about 23 bytes a pixel, in each worker; worth it for small pictures
            that are seen in several epochs.
        base: As in :class:`~mtlbox.datasets.base.MultiTaskDataset`.

    Raises:
        ValueError: For an unknown split, a length or size below 1, or a task with another number of classes than the
            labels have.
    """

    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'human_parts', 'saliency', 'depth', 'normals', 'boundary'),
        'classes': {'semseg': CLASSES, 'human_parts': PARTS},
        'units': {'depth': Depth.unit},
        'gaps': ('human_parts',),
        'palette': {'semseg': PALETTE, 'human_parts': PART_PALETTE},
    }

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task | Mapping],
        length: int,
        split: str = 'train',
        size: tuple[int, int] = (448, 576),
        cache: bool = False,
        **base: Any,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f'RoomsDataset has no split {split!r}.{did_you_mean(split, SPLITS)}')
        if length < 1:
            raise ValueError(f'RoomsDataset: length must be at least 1, got {length}.')
        self.length = int(length)
        self.size = _checked_size(size)
        self.cache = cache
        self._rendered: dict[int, dict[str, NDArray]] = {}
        super().__init__(tasks=tasks, split=split, **base)

    @property
    def setting(self) -> str:
        """How many scenes at which size: scores on others are scores on other data."""
        return f'{len(self)} scene{"s"[: len(self) != 1]} at {self.size[0]}x{self.size[1]}'

    def load_data_list(self) -> list[dict]:
        """Return the numbers of the pictures."""
        return [{'sample_id': f'{self.split}_{index}', 'room': index} for index in range(self.length)]

    def load_image(self, info: dict) -> NDArray:
        """Return the picture (H, W, 3), uint8."""
        return self._render(info['room'])['image'].copy()  # a transform may work in place

    def load_label(self, info: dict, name: str) -> NDArray:
        """Return the map called ``name``."""
        return self._render(info['room'])[name].copy()

    def _render(self, index: int) -> dict[str, NDArray]:
        """Render a picture with its labels; the last one is kept at least, for it is asked for label by label."""
        if index not in self._rendered:
            if not self.cache:
                self._rendered.clear()
            self._rendered[index] = render_room(self.split, index, self.size)
        return self._rendered[index]
