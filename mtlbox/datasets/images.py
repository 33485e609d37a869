"""Images without any labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.image_file import read_image
from mtlbox.registry import DATASETS
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array


@DATASETS.register_module()
class ImageFolder(MultiTaskDataset):
    """All pictures below a folder, without labels: a target domain, or more images than there are labels for.

    A sample's ``sample_id`` is its path below the folder, without the suffix.

    Args:
        data_root: The folder.
        tasks: The model's tasks by key, built or as configs.
        suffixes: Which files are pictures.
        base: As in :class:`~mtlbox.datasets.base.MultiTaskDataset`.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It holds no picture.
    """

    METAINFO: ClassVar[dict] = {'labels': ()}

    def __init__(
        self,
        *,
        data_root: str,
        tasks: Mapping[str, Task | Mapping],
        suffixes: Sequence[str] = ('.jpg', '.jpeg', '.png'),
        **base: Any,
    ) -> None:
        self.suffixes = tuple(suffixes)
        super().__init__(data_root=str(data_root), tasks=tasks, **base)

    @classmethod
    def match_labels(
        cls, tasks: Mapping[str, Task], labels: Sequence[str] | Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return no label, as there are none; raise ValueError where one is asked for."""
        return super().match_labels(tasks, () if labels is None else labels)

    def load_data_list(self) -> list[dict]:
        """Return the pictures in the order of their names."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(f'There is no folder {root}.')
        paths = sorted(path for path in root.rglob('*') if path.suffix.lower() in self.suffixes and path.is_file())
        if not paths:
            raise ValueError(f'{root} holds no picture: no file that ends with {", ".join(self.suffixes)}.')
        return [
            {'sample_id': path.relative_to(root).with_suffix('').as_posix(), 'img_path': str(path)} for path in paths
        ]

    def load_image(self, info: dict) -> Array:
        """Return the picture, RGB uint8 ``(H, W, 3)``."""
        return read_image(info['img_path'])

    def load_label(self, info: dict, name: str) -> Array | None:
        """Return None."""
        return None
