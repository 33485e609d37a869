"""Writing a data set: into a folder of our own, with many processes, resumed where it was cut off."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from mtlbox.datasets import npy
from mtlbox.tasks.base import Array

Job = TypeVar('Job')
Result = TypeVar('Result')


def claim(root: Path, marker: str, parameters: Mapping[str, Any]) -> bool:
    """Take ``root`` as the folder to write to, marked by the file ``marker``; return whether work is resumed there.

    Raises:
        FileExistsError: ``root`` holds files that were not written by the same command with the same parameters.
    """
    path = root / marker
    wanted = json.loads(json.dumps(parameters))
    if path.is_file():
        found = _read_marker(path)
        if found == wanted:
            return True
        differences = [
            f'{key} {found.get(key)!r} there, {wanted.get(key)!r} now'
            for key in sorted(found.keys() | wanted.keys())
            if found.get(key) != wanted.get(key)
        ]
        raise FileExistsError(
            f'{root} was written with other parameters: {"; ".join(differences)}. Name another folder, or repeat the '
            'parameters to resume.'
        )
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise FileExistsError(
            f'{root} exists and was not written by this command (it has no {marker}); nothing in it was touched. '
            'Name a new or empty folder.'
        )
    root.mkdir(parents=True, exist_ok=True)
    write_json(path, wanted)
    return False


def _read_marker(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FileExistsError(f'{path} is not a marker of this command; nothing beside it was touched.')
    return found


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path`` whole or not at all."""
    temporary = path.with_name(f'.{path.name}.part')
    temporary.write_text(json.dumps(content, indent=1) + '\n', encoding='utf-8')
    os.replace(temporary, path)


def write_arrays(folder: Path, index: int, arrays: Mapping[str, Array]) -> None:
    """Write ``{path: array}``, see :class:`~mtlbox.datasets.layouts.Layout`, below ``folder``."""
    for path, array in arrays.items():
        target = folder / f'{path.format(index=index)}.npy'
        target.parent.mkdir(parents=True, exist_ok=True)
        npy.save(target, array)


def is_written(folder: Path, index: int, arrays: Mapping[str, Array]) -> bool:
    """Return whether files of the shapes and types of ``arrays`` are there, complete, for ``index``."""
    for path, array in arrays.items():
        try:
            header = npy.read_header(folder / f'{path.format(index=index)}.npy')
        except (FileNotFoundError, ValueError):
            return False
        if header != (array.shape, array.dtype):
            return False
    return True


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def run_jobs(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, description: str, quiet: bool = False
) -> list[Result]:
    """Return ``work`` of each job, in order, computed by ``workers`` processes under a progress bar.

    Args:
        work: A function at the top level of a module.
        jobs: Its arguments.
        workers: Processes; 0 or 1 works in this one.
        description: What the progress bar says.
        quiet: Show no progress bar.
    """

    def follow(results: Iterable[Result]) -> list[Result]:
        return list(tqdm(results, total=len(jobs), desc=description, unit='image', disable=quiet))

    if workers <= 1 or len(jobs) <= 1:
        return follow(map(work, jobs))
    with ProcessPoolExecutor(min(workers, len(jobs))) as executor:
        return follow(executor.map(work, jobs, chunksize=max(1, min(8, len(jobs) // (4 * workers)))))
