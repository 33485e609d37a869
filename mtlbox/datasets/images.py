"""Images without any labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.listing import Files, Listing
from mtlbox.datasets.named import NamedDataset
from mtlbox.datasets.sources import Source
from mtlbox.registry import DATASETS
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array


@DATASETS.register_module()
class ImageFolder(NamedDataset):
    """All pictures below a folder, without labels: a target domain, or more images than there are labels for.

    A sample's ``sample_id`` is its path below the folder, without the suffix. Files and folders whose names begin with
    a dot are a system's own and no samples; links to folders are not followed.

    Args:
        data_root: The folder.
        tasks: The model's tasks by key, built or as configs.
        suffixes: Which files are pictures, in small letters or capitals.
        base: As in :class:`~mtlbox.datasets.named.NamedDataset`, ``check`` among them.

    Raises:
        FileNotFoundError: There is no such folder.
        TypeError: ``suffixes`` is a string.
        ValueError: The folder holds no picture, a damaged one, or two that differ in their suffixes only; or a suffix
            does not begin with a dot.
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
        if isinstance(suffixes, str):
            raise TypeError(f'suffixes must be a list or a tuple, e.g. [{suffixes!r}], but is the string {suffixes!r}.')
        wrong = [suffix for suffix in suffixes if not suffix.startswith('.')]
        if wrong:
            raise ValueError(f'suffixes must begin with a dot, but {wrong[0]!r} does not. Is {"." + wrong[0]!r} meant?')
        self.suffixes = tuple(suffix.lower() for suffix in suffixes)
        super().__init__(data_root=str(data_root), tasks=tasks, **base)

    @classmethod
    def match_labels(
        cls, tasks: Mapping[str, Task], labels: Sequence[str] | Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return no label, as there are none; raise ValueError where one is asked for."""
        return super().match_labels(tasks, () if labels is None else labels)

    def load_data_list(self) -> Listing:
        """Return the pictures in the order of their names, after all were looked at."""
        root = self.data_root
        if not os.path.isdir(root):
            raise FileNotFoundError(f'There is no folder {root}.')
        suffix_of: dict[str, str] = {}
        for name, suffix in _pictures(root, self.suffixes):
            if name in suffix_of:
                raise ValueError(
                    f'{root} holds {name}{suffix_of[name]} and {name}{suffix}, which would be one sample, {name!r}. '
                    f'Where one of them is no picture to train on, say which are: suffixes=[{suffix!r}].'
                )
            suffix_of[name] = suffix
        if not suffix_of:
            raise ValueError(f'{root} holds no picture: no file that ends with {", ".join(self.suffixes)}.')
        names = list(suffix_of)
        kinds = sorted(set(suffix_of.values()))
        files = Files(root, self.split, Source.at(*(f'{{name}}{suffix}' for suffix in kinds)), {})
        kept = (names[index] for index in self.choose(names, lambda number: {'sample_id': names[number]})[0])
        samples = Listing.read(files, kept, lambda _, name: kinds.index(suffix_of[name]))
        self.look_at(samples, files, (type(self).__name__, self.split))
        return samples

    def load_image(self, info: dict) -> Array:
        """Return the picture, RGB uint8 ``(H, W, 3)``."""
        return read_image(info['img_path'])

    def load_label(self, info: dict, name: str) -> Array | None:
        """Return None."""
        return None


def _pictures(folder: str, suffixes: Sequence[str], above: str = '') -> Iterator[tuple[str, str]]:
    """Yield path and suffix of each picture below ``folder``, in the order of their names, one folder at a time."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith('.'):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _pictures(entry.path, suffixes, f'{above}{entry.name}/')
            continue
        stem, suffix = os.path.splitext(entry.name)
        if suffix.lower() in suffixes and entry.is_file():
            yield above + stem, suffix
