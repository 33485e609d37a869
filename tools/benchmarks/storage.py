"""Compare ways to store a data set: bytes of a sample, and samples a second that one process reads and decodes.

python tools/benchmarks/storage.py                  rooms of 425x560 with the five labels of NYUD

Every way gives the same arrays (image uint8, classes uint8, depth and normals float32, boundaries uint8), but that jpg
is not exact, nor are normals of 8 bits where the source is finer. They are read in turn, in one process, in an order
that changes from round to round; the best round counts. ``warm`` reads what the system holds in memory, as in all
epochs after the first where the set fits in there, also per second of processor time, which other work on the machine
changes less; ``cold`` drops each file from memory before it is read, so that the disk counts. lmdb is measured where it
is installed.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import MMLogger
from PIL import Image

from mtlbox.datasets.arrays import encode_array, read_array
from mtlbox.datasets.decode import unit
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.encode import picture_of_unit
from mtlbox.datasets.layouts.nyud import ENCODERS
from mtlbox.datasets.layouts.writing import write_files, write_text
from mtlbox.datasets.rooms import render_room
from mtlbox.tasks.base import Array

Maps = Mapping[str, Array]
Read = Callable[[int], Maps]


def exact(room: Maps) -> Maps:
    """Return the five maps as they are wanted."""
    return {
        'image': room['image'],
        'semseg': room['semseg'].astype(np.uint8),
        'depth': room['depth'].astype(np.float32),
        'normals': room['normals'].astype(np.float32),
        'boundary': room['boundary'].astype(np.uint8),
    }


def small(room: Maps) -> Maps:
    """Return the maps with normals of 8 bits."""
    return {**exact(room), 'normals': picture_of_unit(room['normals'])}


def decoded(maps: dict[str, Array]) -> Maps:
    """Turn normals of 8 bits into vectors."""
    if maps['normals'].dtype == np.uint8:
        maps['normals'] = unit(maps['normals'].astype(np.float32) * np.float32(2 / 255) - 1)
    return maps


def as_layout(name: str, rooms: Sequence[Maps], folder: Path) -> Read:
    """Store in a layout of the data set, read by its class."""
    for index, room in enumerate(rooms):
        write_files(folder, ENCODERS[name](room), split='train', index=index)
    layout = LAYOUTS[name]
    for path, text in layout.lists({'train': len(rooms)}).items():
        write_text(folder / path, text)
    dataset = layout.dataset(
        data_root=str(folder), split='train', tasks=layout.tasks, check=False, serialize_data=False, **layout.options
    )

    def read(index: int) -> Maps:
        info = dataset.get_data_info(index)
        return {'image': dataset.load_image(info), **{key: dataset.load_label(info, key) for key in layout.tasks}}

    return read


def as_arrays(pack: Callable[[Maps], Maps], rooms: Sequence[Maps], folder: Path) -> Read:
    """Store a NumPy file per map."""
    for index, room in enumerate(rooms):
        for key, array in pack(room).items():
            np.save(folder / f'{index}_{key}.npy', array)
    keys = list(pack(rooms[0]))
    return lambda index: decoded({key: np.load(folder / f'{index}_{key}.npy') for key in keys})


def as_converted(rooms: Sequence[Maps], folder: Path) -> Read:
    """Store what ``tools/data.py convert`` makes: a NumPy file per map, vectors of 16 bits."""
    for index, room in enumerate(rooms):
        for key, array in exact(room).items():
            np.save(folder / f'{index}_{key}.npy', encode_array(array))
    keys = list(exact(rooms[0]))
    return lambda index: {key: read_array(str(folder / f'{index}_{key}.npy')) for key in keys}


def as_pictures(
    rooms: Sequence[Maps],
    folder: Path,
    suffix: str,
    write: Callable[[str, Array], object],
    read: Callable[[str, int], Array],
) -> Read:
    """Store maps of bytes as pictures and the others as NumPy files; ``read`` is given path and number of axes."""
    for index, room in enumerate(rooms):
        for key, array in small(room).items():
            if array.dtype == np.uint8:
                write(str(folder / f'{index}_{key}{suffix}'), array)
            else:
                np.save(folder / f'{index}_{key}.npy', array)
    kinds = small(rooms[0])

    def one(index: int, key: str) -> Array:
        if kinds[key].dtype != np.uint8:
            return np.load(folder / f'{index}_{key}.npy')
        return read(str(folder / f'{index}_{key}{suffix}'), kinds[key].ndim)

    return lambda index: decoded({key: one(index, key) for key in kinds})


def as_webp(rooms: Sequence[Maps], folder: Path) -> Read:
    """Store lossless WebP; depth stays a NumPy file."""

    def write(path: str, array: Array) -> None:
        Image.fromarray(array).save(path, lossless=True)

    def read(path: str, axes: int) -> Array:
        array = np.asarray(Image.open(path))
        return array if axes == 3 else array[..., 0]

    return as_pictures(
        rooms, folder, '.webp', lambda path, array: Image.fromarray(array).save(path, lossless=True), read
    )


def as_cv2_png(rooms: Sequence[Maps], folder: Path) -> Read:
    """Store the pictures of nyud-c, read by OpenCV."""

    def write(path: str, array: Array) -> None:
        cv2.imwrite(path, array[..., ::-1] if array.ndim == 3 else array)

    def read(path: str, axes: int) -> Array:
        if axes == 2:
            return cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)

    return as_pictures(rooms, folder, '.png', write, read)


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def as_shard(rooms: Sequence[Maps], folder: Path) -> Read:
    """Store one uncompressed tar of NumPy files, read at known offsets."""
    path, where = folder / 'shard.tar', {}
    with tarfile.open(path, 'w', format=tarfile.USTAR_FORMAT) as tar:
        for index, room in enumerate(rooms):
            for key, array in exact(room).items():
                data = _npy(array)
                member = tarfile.TarInfo(f'{index}.{key}.npy')
                member.size = len(data)
                where[index, key] = (tar.offset + tarfile.BLOCKSIZE, len(data))
                tar.addfile(member, io.BytesIO(data))
    keys = list(exact(rooms[0]))
    descriptor = os.open(path, os.O_RDONLY)

    def one(index: int, key: str) -> Array:
        offset, length = where[index, key]
        return np.load(io.BytesIO(os.pread(descriptor, length, offset)))

    return lambda index: {key: one(index, key) for key in keys}


def as_lmdb(rooms: Sequence[Maps], folder: Path) -> Read:
    """Store one lmdb of NumPy files."""
    import lmdb

    base = lmdb.open(str(folder), map_size=1 << 36)
    with base.begin(write=True) as writing:
        for index, room in enumerate(rooms):
            for key, array in exact(room).items():
                writing.put(f'{index}.{key}'.encode(), _npy(array))
    keys = list(exact(rooms[0]))

    def read(index: int) -> Maps:
        with base.begin(buffers=True) as reading:
            return {key: np.load(io.BytesIO(reading.get(f'{index}.{key}'.encode()))) for key in keys}

    return read


WAYS: dict[str, Callable[[Sequence[Maps], Path], Read]] = {
    'nyud-c: png, depth npy': lambda rooms, folder: as_layout('nyud-c', rooms, folder),
    'the same, read by OpenCV': as_cv2_png,
    'nyud-b: jpg, png, others npy': lambda rooms, folder: as_layout('nyud-b', rooms, folder),
    'webp lossless, depth npy': as_webp,
    'arrays: npy, normals 16 bit': as_converted,
    'npy, normals 8 bit': lambda rooms, folder: as_arrays(small, rooms, folder),
    'npy, normals 32 bit': lambda rooms, folder: as_arrays(exact, rooms, folder),
    'tar shard of the last': as_shard,
    'lmdb of the last': as_lmdb,
}
"""What each way is called, and what stores rooms in a folder and returns a reader."""


def drop(folder: Path) -> None:
    """Ask the system to forget the files of a folder."""
    for path in folder.rglob('*'):
        if path.is_file():
            with open(path, 'rb') as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rate(read: Read, count: int) -> tuple[float, float]:
    """Return samples a second, and samples a second of processor time."""
    started, used = time.perf_counter(), time.process_time()
    for index in range(count):
        for array in read(index).values():
            array.max()  # touch every byte, as a transform would
    return count / (time.perf_counter() - started), count / (time.process_time() - used)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, nargs=2, default=(425, 560), metavar=('H', 'W'))
    parser.add_argument('--samples', type=int, default=24)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args(argv)
    MMLogger.get_instance('storage', logger_name='storage', log_level='ERROR')
    cv2.setNumThreads(1)
    rooms = [render_room('train', index, tuple(args.size)) for index in range(args.samples)]
    reads: dict[str, Read] = {}
    with tempfile.TemporaryDirectory() as root:
        folders = {name: Path(root, str(number)) for number, name in enumerate(WAYS)}
        for name, store in WAYS.items():
            folders[name].mkdir()
            try:
                reads[name] = store(rooms, folders[name])
            except ImportError as error:
                print(f'{name}: left out, {error}')
        measure(reads, folders, args.samples, args.rounds)


def measure(reads: Mapping[str, Read], folders: Mapping[str, Path], samples: int, rounds: int) -> None:
    """Print the table."""
    best = {name: [0.0, 0.0, 0.0] for name in reads}
    for turn in range(rounds):
        for name in list(reads)[:: 1 if turn % 2 else -1]:
            drop(folders[name])
            cold, _ = rate(reads[name], samples)
            best[name] = [max(pair) for pair in zip(best[name], (*rate(reads[name], samples), cold))]
    print(f'{"":30}  {"kB a sample":>11}  {"warm, 1/s":>9}  {"per CPU-s":>9}  {"cold, 1/s":>9}')
    for name, (warm, processor, cold) in best.items():
        size = sum(path.stat().st_blocks * 512 for path in folders[name].rglob('*') if path.is_file()) / samples
        print(f'{name:30}  {size / 1000:11.0f}  {warm:9.0f}  {processor:9.0f}  {cold:9.0f}')


if __name__ == '__main__':
    main()
