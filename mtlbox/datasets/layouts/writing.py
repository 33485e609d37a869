"""Writing a data set: into a folder of our own, with many processes, resumed where it was cut off."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from scipy.io import savemat
from tqdm import tqdm

from mtlbox.datasets import npy
from mtlbox.datasets.image_file import encode_picture
from mtlbox.datasets.probe import probe

MARKER = 'convert.json'
"""Name of the file that marks a folder as converted and holds the parameters."""

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


def require_space(root: Path, needed: int) -> None:
    """Raise OSError where the disk of ``root`` has less than the ``needed`` bytes free."""
    free = shutil.disk_usage(root).free
    if needed > free:
        raise OSError(f'{root} needs {_amount(needed)} more, but its disk has {_amount(free)} free.')


def _amount(count: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    for size, unit in ((1e9, 'GB'), (1e6, 'MB'), (1e3, 'kB')):
        if count >= size:
            return f'{count / size:.1f} {unit}'
    return f'{count} bytes'


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` to ``path`` whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + '\n')


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` whole or not at all; names of files in it may be no text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    npy.write_whole(path, lambda file: file.write(text.encode('utf-8', 'surrogateescape')))


Files = Mapping[str, Any]
"""What a sample is on disk: ``{path: content}``.

A path may hold fields as ``{index}``. Its suffix says what the file is: a NumPy file (also where it has none), a
picture ``.png`` or ``.jpg`` (RGB where it has three channels), or ``.mat``, whose content is ``{variable: value}``.
"""


def encode_file(path: str | Path, content: Any) -> bytes:
    """Return what the file ``path`` of :data:`Files` is to hold.

    Raises:
        ValueError: ``content`` is not of the kind that the suffix says.
    """
    suffix, buffer = Path(path).suffix, BytesIO()
    if suffix == '.json':
        return json.dumps(content, indent=1).encode()
    if suffix == '.mat':
        savemat(buffer, content, do_compression=True)
    elif suffix in ('', '.npy'):
        np.save(buffer, content, allow_pickle=False)
    else:
        return encode_picture(path, content, suffix)
    return buffer.getvalue()


def write_files(folder: Path, files: Files, **fields: Any) -> dict[Path, str]:
    """Write each of ``files`` below ``folder``, complete or not at all, with ``fields`` put into their paths.

    Returns:
        The SHA-256 of each.
    """
    written = {}
    for path, content in files.items():
        target = _place(folder, path, fields)
        target.parent.mkdir(parents=True, exist_ok=True)
        encoded = encode_file(target, content)
        npy.write_whole(target, lambda file, encoded=encoded: file.write(encoded))
        written[target] = hashlib.sha256(encoded).hexdigest()
    return written


def is_written(folder: Path, files: Files, **fields: Any) -> bool:
    """Return whether all of ``files`` are there and complete; NumPy files also by the shapes and types given."""
    for path, content in files.items():
        target = _place(folder, path, fields)
        try:
            if target.suffix != '.npy':
                probe(target)
            elif npy.read_header(target) != (content.shape, content.dtype):
                return False
        except (FileNotFoundError, ValueError):
            return False
    return True


def paths_of(folder: Path, files: Iterable[str], **fields: Any) -> list[Path]:
    """Return where ``files`` are or would be written below ``folder``, with ``fields`` put into their paths."""
    return [_place(folder, path, fields) for path in files]


def _place(folder: Path, path: str, fields: Mapping[str, Any]) -> Path:
    target = folder / path.format(**fields)
    return target if target.suffix else target.with_suffix('.npy')


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def run_jobs(
    work: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, description: str, quiet: bool = False
) -> list[Result]:
    """Return ``work`` of each job, in order; what the arguments are is as for :func:`stream_jobs`."""
    return list(stream_jobs(work, jobs, workers=workers, description=description, quiet=quiet))


def stream_jobs(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    *,
    count: int = 0,
    workers: int,
    description: str,
    quiet: bool = False,
) -> Iterator[Result]:
    """Give ``work`` of each job as it is done, in order, computed by ``workers`` processes under a progress bar.

    Args:
        work: A function at the top level of a module.
        jobs: Its arguments; few are taken before they are needed.
        count: How many there are, where ``jobs`` has no length.
        workers: Processes; 0 or 1 works in this one.
        description: What the progress bar says.
        quiet: Show no progress bar.

    Raises:
        ChildProcessError: A process was killed.
    """
    count = len(jobs) if isinstance(jobs, Sized) else count

    def follow(results: Iterable[Result]) -> Iterable[Result]:
        return tqdm(results, total=count, desc=description, unit='image', disable=quiet or not count)

    if workers <= 1 or count <= 1:
        yield from follow(map(work, jobs))
        return
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)  # a forked process waits for ever for threads that were in this one; torch as well
    try:
        with ProcessPoolExecutor(min(workers, count), initializer=_begin_process) as executor:
            size = max(1, min(8, count // (4 * workers)))
            yield from follow(_in_order(executor, work, iter(jobs), size=size, most=4 * workers))
    except BrokenProcessPool:
        raise ChildProcessError(
            f'A process of {workers} was killed, perhaps for lack of memory: fewer --workers need less. The same '
            'command goes on where it was.'
        ) from None
    finally:
        cv2.setNumThreads(threads)


def _in_order(
    executor: Executor, work: Callable[[Job], Result], jobs: Iterator[Job], *, size: int, most: int
) -> Iterator[Result]:
    """As ``executor.map``, of which at most ``most`` groups of ``size`` jobs wait at a time."""
    waiting: deque[Future[list[Result]]] = deque()
    try:
        while group := list(islice(jobs, size)):
            waiting.append(executor.submit(_work_on, work, group))
            if len(waiting) >= most:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _work_on(work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
    return [work(job) for job in jobs]


def _begin_process() -> None:
    """Work with one thread, and end when the process that started this one is killed, instead of waiting for ever."""
    torch.set_num_threads(1)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
