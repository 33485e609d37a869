"""Images per second and core of the input pipeline, beside the usual way to read the same files.

    python tools/benchmarks/dataloader.py [NAME ...] [--images 16] [--passes 3] [--json]
    python tools/benchmarks/dataloader.py --memory [--samples 200000] [--json]
    python tools/benchmarks/dataloader.py [--memory] --update docs/complexity_and_speed.md

Replicas of the layouts are written to a temporary folder and read by one process on one core, OpenCV and torch with one
thread each; files come from the system's cache. Three pipelines are measured: ``read`` (decode, check and pack all
tasks), ``train`` (ATRC's: zoom by 0.5 to 2, a crop in which no class fills more than 75 %, flip, colours, pack), both
called in a process of their own, and ``loader``, which is ``train`` through torch's DataLoader: the samples are put
together to batches and sent through shared memory, and the time of the process that receives them counts too. A name
such as ``nyud-arrays`` is the data set converted to arrays, beside the reference on the archive that it was made of.

The reference is what most code of this field does with the same files and steps: Pillow, ``np.load`` and ``loadmat``,
the file of each task read anew, every map as float32, a loop over the tasks per step, colours changed step by step in
uint8 (as in mmsegmentation), normalisation in the worker, which gives freed memory back to the system, as by default.
Where a map is made of another one, it makes it by plain
NumPy: normals of a depth map by the cross product of its differences, classes of colours by a comparison per class. It
checks nothing and leaves numbers of classes and units as they are stored.

``decoded`` is what no loader can be faster than: each file of the sample once through OpenCV, ``np.load`` or
``loadmat``, and nothing else. All take turns at each image; the time is that of the processor, the least of several
passes.

``--memory`` lists made-up samples of Taskonomy, an image and four labels each, and prints MB that a million take:
at the peak of making the list and afterwards in the process that made it, and in a worker, forked or spawned, that has
read all of it, for itself alone (pages that it shares with others are not counted). The list is held as ``dicts``
(serialize_data=False), as a ``block`` of bytes (serialize_data=True, the default), or, as data sets with layouts do, as
``names`` from which a sample is put together when it is asked for; ``few labels`` is the same where 1 % keep a label.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from PIL import Image
from scipy.io import loadmat
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mtlbox.apis import exit_on_user_error
from mtlbox.apis.tables import replace_between
from mtlbox.datasets import MultiTaskDataset
from mtlbox.datasets.arrays import ARRAYS
from mtlbox.datasets.layouts import LAYOUTS, Layout
from mtlbox.datasets.layouts.arrays import SETS, convert
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import available_cores
from mtlbox.datasets.listing import Files, Listing
from mtlbox.datasets.samplers import DefaultSampler, SampleIndex
from mtlbox.datasets.sources import MapFiles, Source
from mtlbox.datasets.verify import KNOWN
from mtlbox.datasets.worker import use_one_core
from mtlbox.tasks.base import Array
from mtlbox.tasks.thinning import thin

CAT_TASK, CAT_MAX = 'semseg', 0.75
PIPELINES = ('read', 'train', 'loader')
ARCHIVES = {
    **{name: name for name in LAYOUTS},
    **{name: [key for key, one in LAYOUTS.items() if one.dataset is KNOWN[name][0]][-1] for name in SETS},
}
"""What can be measured: name, and the layout that its files are, or are converted from."""
BATCH = 8
MEAN, STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])


def build(
    layout: Layout, root: str, pipeline: str, size: tuple[int, int], options: Mapping[str, Any]
) -> MultiTaskDataset:
    """Build the data set of a replica with one of the pipelines, two of which crop to ``size``."""
    steps: list[dict[str, Any]] = [{'type': 'PackMultiTaskInputs'}]
    if pipeline != 'read':
        steps = [
            {
                'type': 'RandomScaleCrop',
                'scale': (0.5, 2.0),
                'size': size,
                'pad': False,
                'cat_max': CAT_MAX,
                'cat_task': CAT_TASK,
            },
            {'type': 'RandomFlip', 'prob': 0.5},
            {'type': 'PhotometricDistortion', 'hue': 36},
            *steps,
        ]
    return layout.dataset(data_root=root, split='train', tasks=layout.tasks, pipeline=steps, **options)


class Reference:
    """The usual loop, over the files and tasks of a data set of ours.

    Args:
        dataset: It says which files there are.
        size: (H, W) of the crop.
        pipeline: One of ``PIPELINES``.
    """

    def __init__(self, dataset: MultiTaskDataset, size: tuple[int, int], pipeline: str) -> None:
        self.dataset, self.size, self.pipeline = dataset, size, pipeline
        self.rng = np.random.default_rng(0)

    def __call__(self, index: int) -> dict[str, Tensor]:
        """Read and augment a sample."""
        info = self.dataset.get_data_info(index)
        image = read_plainly(info['img_path'])
        if Path(info['img_path']).suffix == '.npy':
            image = image * 255
        maps = {key: self._map(key, read_plainly(path)) for key, path in info['label_paths'].items()}
        for key, array in maps.items():
            if array.shape[:2] != image.shape[:2]:  # an annotation that is no map
                maps[key] = np.zeros(image.shape[:2], np.float32)
        if self.pipeline != 'read':
            image, maps = self._augment(image, maps)
        image = (image.astype(np.float32) - MEAN) / STD
        return {key: _tensor(array) for key, array in {'image': image, **maps}.items()}

    def _map(self, key: str, stored: Array) -> Array:
        """Return the map that a task needs of what its file holds, where these are of different kinds."""
        vectors = self.dataset.tasks[key].gt_channels == 3
        if stored.ndim == 2 and vectors:
            return normals_plainly(stored)
        if stored.ndim == 3 and stored.shape[2] == 3 and not vectors:
            palette = self.dataset.METAINFO.get('palette', {}).get(key)
            return stored[..., 0] if palette is None else classes_plainly(stored, palette)
        return stored

    def _augment(self, image: Array, maps: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        zoom = self.rng.uniform(0.5, 2.0)
        size = (round(image.shape[1] * zoom), round(image.shape[0] * zoom))
        image = cv2.resize(image, size)
        maps = {key: cv2.resize(gt, size, interpolation=cv2.INTER_NEAREST) for key, gt in maps.items()}
        maps = {key: self.dataset.tasks[key].on_zoom(gt, zoom) for key, gt in maps.items()}
        h, w = (min(have, want) for have, want in zip(image.shape, self.size))
        for _ in range(10):
            top = int(self.rng.integers(0, image.shape[0] - h + 1))
            left = int(self.rng.integers(0, image.shape[1] - w + 1))
            window = np.s_[top : top + h, left : left + w]
            if CAT_TASK not in maps:
                break
            classes, counts = np.unique(maps[CAT_TASK][window], return_counts=True)
            counts = counts[(classes != 255) & (classes != -1)]
            if len(counts) > 1 and counts.max() < CAT_MAX * counts.sum():
                break
        image, maps = image[window], {key: gt[window] for key, gt in maps.items()}
        if self.rng.random() < 0.5:
            image, maps = np.fliplr(image), {key: np.fliplr(gt).copy() for key, gt in maps.items()}
            for gt in maps.values():
                if gt.ndim == 3:
                    gt[..., 0] *= -1
        return self._recolour(np.clip(image, 0, 255).astype(np.uint8)), maps

    def _recolour(self, image: Array) -> Array:
        draw, coin = self.rng.uniform, lambda: self.rng.random() < 0.5
        if coin():
            image = _linear(image, 1, draw(-32, 32))
        early = coin()
        if early and coin():
            image = _linear(image, draw(0.5, 1.5), 0)
        if coin():
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            hsv[..., 1] = _linear(hsv[..., 1], draw(0.5, 1.5), 0)
            image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        if coin():
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            hsv[..., 0] = (hsv[..., 0].astype(int) + int(draw(-18, 18))) % 180
            image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
        if not early and coin():
            image = _linear(image, draw(0.5, 1.5), 0)
        return image


def read_plainly(path: str) -> Array:
    """Return what a file holds as float32: of a ``.mat`` the first array, of a LabelMap the thinned boundaries."""
    suffix = Path(path).suffix
    if suffix == '.npy':
        return np.load(path).astype(np.float32)
    if suffix == '.mat':
        name, value = next((name, value) for name, value in loadmat(path).items() if not name.startswith('__'))
        if value.dtype.kind not in 'iuf':
            return sum_masks(value)
        if name == 'LabelMap':
            value = thin(np.abs(cv2.Laplacian(value.astype(np.float64), cv2.CV_64F)) > 0)
        return value.astype(np.float32)
    picture = np.array(Image.open(path)).astype(np.float32)
    return 2 * picture / 255 - 1 if picture.ndim == 3 and 'normal' in path else picture


def normals_plainly(depth: Array, focal: float = 1000.0) -> Array:
    """Return unit normals ``(H, W, 3)`` of a depth map: the cross product of the differences between its points."""
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]].astype(np.float32)
    points = np.stack([(u - u.mean()) / focal * depth, (v - v.mean()) / focal * depth, depth], axis=-1)
    normals = np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1))
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)


def classes_plainly(colours: Array, palette: Sequence[tuple[int, ...]]) -> Array:
    """Return the number in ``palette`` of each colour of ``(H, W, 3)``, 255 for those that are not in it."""
    classes, weights = np.full(colours.shape[:2], 255, np.float32), np.float32([1 << 16, 1 << 8, 1])
    numbers = colours @ weights
    for index, colour in enumerate(palette):
        classes[numbers == colour @ weights] = index
    return classes


def decode_only(path: str) -> None:
    """Decode a file and do nothing with it."""
    suffix = Path(path).suffix
    if suffix == '.npy':
        np.load(path)
    elif suffix == '.mat':
        loadmat(path)
    elif suffix == '.json':
        json.loads(Path(path).read_bytes())
    elif cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED) is None:
        raise ValueError(f'{path} is no picture.')


def sum_masks(value: Array) -> Array:
    """Return the sum of all maps in nested structures of MATLAB, as those of an annotation's parts."""
    total: Array = np.zeros((1, 1), np.float32)
    for item in value.ravel() if value.dtype.hasobject and not value.dtype.names else ():
        total = sum_masks(item) + total if isinstance(item, np.ndarray) else total
    for name in value.dtype.names or ():
        total = sum_masks(value[name]) + total
    return value.astype(np.float32) if value.dtype.kind in 'iuf' and value.size > 1 else total


def _linear(image: Array, factor: float, shift: float) -> Array:
    return np.clip(image.astype(np.float32) * factor + shift, 0, 255).astype(np.uint8)


def _tensor(array: Array) -> Tensor:
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(array)).float()


def ways_of(dataset: MultiTaskDataset, reference: Reference) -> dict[str, Callable[[SampleIndex], Any]]:
    """Return what is measured: ours, the reference, and decoding the files."""

    def decode(index: int) -> None:
        for path in dataset.files_of(dataset.get_data_info(index)):
            decode_only(path)

    return {'ours': dataset.__getitem__, 'reference': reference, 'decoded': decode}


def measure(ways: Mapping[str, Callable[[SampleIndex], Any]], *, images: int, passes: int) -> dict[str, float]:
    """Return the images per second of each way, called in a process of its own."""
    least = dict.fromkeys(ways, float('inf'))
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(way, tuned=name != 'reference')) for name, way in ways.items()}
        for turn in range(passes + 1):
            seconds = dict.fromkeys(ways, 0.0)
            for number in range(images):
                for name, worker in workers.items():
                    worker.send(SampleIndex(number, (0, turn)))
                    seconds[name] += worker.recv()
            if turn:  # the first pass warms up
                least = {name: min(least[name], seconds[name]) for name in ways}
    return {name: images / least[name] for name in ways}


def measure_delivered(
    ways: Mapping[str, Callable[[SampleIndex], Any]], *, images: int, passes: int
) -> dict[str, float]:
    """Return the images per second of each way through a DataLoader, of the worker's and the receiver's time."""
    return {
        name: 1 / ask('fork', _deliver, _Stamped(way, images, passes), name != 'reference')
        for name, way in ways.items()
    }


class _Stamped(Dataset):
    """The samples of some passes, each with the time of the process when it was begun.

    One pass more than is measured, to warm up, goes first, and one sample more last, whose beginning is the end.
    """

    def __init__(self, way: Callable[[SampleIndex], Any], images: int, passes: int) -> None:
        self.way, self.images, self.passes = way, images, passes

    def __len__(self) -> int:
        return self.images * (self.passes + 1) + 1

    def __getitem__(self, index: int) -> tuple[float, Any]:
        turn, number = divmod(index, self.images)
        return time.process_time(), self.way(SampleIndex(number, (0, turn)))


def _deliver(connection: Connection, samples: _Stamped, tuned: bool) -> None:
    """Send the seconds that a sample takes in the worker and in this process, which receives it."""
    loader = DataLoader(
        samples,
        batch_size=min(BATCH, samples.images),
        num_workers=1,
        collate_fn=pseudo_collate,
        worker_init_fn=partial(_init_worker, tuned),
        multiprocessing_context='fork',
    )
    stamps: list[float] = []
    received: list[tuple[int, float]] = []
    for begun, _ in loader:
        stamps += begun
        received.append((len(stamps), time.process_time()))
    worker = (stamps[-1] - stamps[samples.images]) / (samples.images * samples.passes)
    (few, first), (many, last) = received[0], received[-1]
    connection.send(worker + (last - first) / (many - few))


def _init_worker(tuned: bool, number: int) -> None:
    if tuned:
        use_one_core()


@contextmanager
def _worker(way: Callable[[SampleIndex], Any], *, tuned: bool) -> Iterator[Connection]:
    """Fork a process that takes numbers of samples and returns the seconds that they took; ``tuned`` as ours are."""
    context = multiprocessing.get_context('fork')
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far, way, tuned), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        near.send(None)
        process.join()


def _serve(connection: Connection, way: Callable[[SampleIndex], Any], tuned: bool) -> None:
    if tuned:
        use_one_core()
    while (index := connection.recv()) is not None:
        start = time.process_time()
        way(index)
        connection.send(time.process_time() - start)


def measure_all(names: list[str], *, images: int, passes: int, size: tuple[int, int] | None) -> list[dict[str, Any]]:
    """Write a replica of each layout, convert it where that is asked for, and measure the pipelines on it."""
    rows = []
    for name in names:
        archive = ARCHIVES[name]
        layout = LAYOUTS[archive]
        with tempfile.TemporaryDirectory() as folder:
            root, options, counts = f'{folder}/{archive}', layout.options, {'train': images, 'val': 1}
            write_replica(archive, root, counts=counts, size=size, workers=available_cores(), quiet=True)
            ours = root
            if name in SETS:
                ours, options = f'{folder}/{name}', {'layout': ARRAYS}
                convert(root, ours, dataset=name, quiet=True)
            shape = size or layout.size
            for pipeline in PIPELINES:
                dataset = build(layout, ours, pipeline, shape, options)
                dataset.full_init()
                plain = Reference(build(layout, root, pipeline, shape, layout.options), shape, pipeline)
                how = measure_delivered if pipeline == 'loader' else measure
                speed = how(ways_of(dataset, plain), images=images, passes=passes)
                rows.append({'layout': name, 'height': shape[0], 'width': shape[1], 'pipeline': pipeline, **speed})
    return rows


class Simulated(MultiTaskDataset):
    """A data set of which only the list of samples is there.

    Args:
        count: How many samples there are.
        way: How they are held, one of ``WAYS``.
    """

    METAINFO: ClassVar[dict] = {'labels': ('depth',)}
    WAYS = ('dicts', 'block', 'names', 'few labels')
    FILES = Files(
        root='data/taskonomy',
        split='train',
        images=Source.at('rgb/{name}_domain_rgb.png'),
        maps={
            label: MapFiles(np.load, (Source.at(f'{label}/{{name}}_domain_{label}.png'),))
            for label in ('depth_zbuffer', 'normal', 'segment_semantic', 'edge_texture')
        },
    )

    def __init__(self, *, count: int, way: str) -> None:
        self.count, self.way = count, way
        few = {'depth': {'fraction': 0.01}} if way == 'few labels' else None
        super().__init__(tasks={'depth': {'type': 'Depth'}}, serialize_data=way == 'block', labelled_only=few)

    def load_data_list(self) -> Any:
        """Return the samples."""
        names: Iterable[str] = (f'building{n % 537:03d}/point_{n:07d}_view_{n % 9}' for n in range(self.count))
        withheld = None
        if self.partial:
            names = list(names)
            _, withheld = self.choose(names, lambda number: {})
        files = self.FILES._replace(partial=self.partial if self.partial else None)
        samples = Listing.read(files, names, lambda source, name: 0, withheld)
        if self.way in ('dicts', 'block'):
            return [{key: one[key] for key in ('sample_id', 'img_path', 'label_paths')} for one in samples]
        return samples

    def filter_data(self) -> Any:
        """Return the samples, of which labels were withheld when they were listed."""
        return self.data_list

    def _withheld(self) -> Iterator[tuple[str, list[str]]]:
        return self.data_list.withheld()

    def load_image(self, info: dict) -> Array:
        """Not there."""
        raise FileNotFoundError(info['img_path'])

    def load_label(self, info: dict, name: str) -> Array:
        """Not there."""
        raise FileNotFoundError(info['label_paths'][name])


def memory(field: str, file: str = 'smaps_rollup') -> float:
    """Return MB of this process in ``/proc/self/{file}``: the sum of the lines that begin with ``field``."""
    lines = Path('/proc/self', file).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def _read_all(connection: Connection, dataset: Simulated) -> None:
    for index in range(len(dataset)):
        dataset.get_data_info(index)
    gc.collect()
    connection.send(memory('Private_'))


def _list_and_start(connection: Connection, way: str, count: int) -> None:
    """Send MB at the peak of listing, MB afterwards, and MB of a forked and of a spawned worker."""
    before = memory('VmRSS', 'status')
    dataset = Simulated(count=count, way=way)
    gc.collect()
    sent = [memory('VmHWM', 'status') - before, memory('VmRSS', 'status') - before]
    for method in ('fork', 'spawn'):
        sent.append(ask(method, _read_all, dataset))
    connection.send(sent)


def _order_and_begin(connection: Connection, count: int) -> None:
    """Send MB at the peak of shuffling an epoch, and MB while it is gone through."""
    before = memory('VmRSS', 'status')
    running = iter(DefaultSampler(range(count), seed=0))
    next(running)
    gc.collect()
    connection.send([memory('VmHWM', 'status') - before, memory('VmRSS', 'status') - before])


def ask(method: str, work: Callable[..., None], *args: Any) -> Any:
    """Return what ``work``, in a process of its own, sends through the connection that it gets first."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, *args))
    process.start()
    sender.close()
    answer = receiver.recv()
    process.join()
    return answer


def measure_memory(samples: int) -> list[dict[str, Any]]:
    """Return MB per million samples for each way to hold them, and for the order of an epoch, which workers lack."""
    rows = []
    least = np.array(ask('fork', _list_and_start, 'dicts', 1))  # what processes take anyway
    for way in Simulated.WAYS:
        figures = ((np.array(ask('fork', _list_and_start, way, samples)) - least) * (1e6 / samples)).tolist()
        rows.append({'way': way, **dict(zip(('peak', 'held', 'forked', 'spawned'), figures))})
    least, order = (np.array(ask('fork', _order_and_begin, count)) for count in (1, samples))
    figures = ((order - least) * (1e6 / samples)).tolist()
    return [*rows, {'way': 'order of an epoch', **dict(zip(('peak', 'held'), figures))}]


def memory_table(rows: list[Mapping[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    columns = ('peak', 'held', 'forked', 'spawned')
    head = [
        '| list held as | peak of making | afterwards | forked worker | spawned worker |',
        '| --- |' + ' ---: |' * 4,
    ]
    return '\n'.join(
        head
        + [
            f'| {row["way"]} | {" | ".join(f"{max(row[key], 0):.0f}" if key in row else "-" for key in columns)} |'
            for row in rows
        ]
    )


def table(rows: list[Mapping[str, Any]], *, speeds: bool = True) -> str:
    """Return the rows as a table in Markdown, with or without the images per second, which are of this machine."""
    ways = ('ours', 'reference', 'decoded') if speeds else ()
    lines = [
        f'| layout | size | pipeline | {"".join(f"{way} | " for way in ways)}ours / reference | decoded / reference |',
        '| --- | --- | --- |' + ' ---: |' * (len(ways) + 2),
    ]
    for row in rows:
        figures = [f'{row[way]:.0f}' for way in ways]
        figures += [f'{row[way] / row["reference"]:.2f}' for way in ('ours', 'decoded')]
        lines.append(
            f'| {row["layout"]} | {row["height"]}x{row["width"]} | {row["pipeline"]} | {" | ".join(figures)} |'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('layouts', nargs='*', metavar='NAME', help=f'all by default: {", ".join(ARCHIVES)}')
    parser.add_argument('--images', type=int, default=16, metavar='N', help='per layout (%(default)s)')
    parser.add_argument('--passes', type=int, default=3, metavar='N', help='over them (%(default)s)')
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'), help="default: the data set's own size")
    parser.add_argument('--memory', action='store_true', help='measure the list of samples, not speed')
    parser.add_argument('--samples', type=int, default=200_000, metavar='N', help='of that list (%(default)s)')
    parser.add_argument('--json', action='store_true', help='print JSON only')
    parser.add_argument(
        '--update',
        type=Path,
        metavar='PAGE',
        help='also write the table, of speeds the ratios only, into this page, between its marks',
    )
    args = parser.parse_args(argv)
    unknown = [name for name in args.layouts if name not in ARCHIVES]
    if unknown:
        parser.error(f'there is no layout {unknown[0]!r}; known are {", ".join(ARCHIVES)}')
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel(logging.ERROR)  # each replica says that it is one
    with exit_on_user_error():
        size = tuple(args.size) if args.size else None
        mark = 'input-memory' if args.memory else 'input-pipeline'
        if args.update:  # wrong marks are said now, not in minutes
            replace_between(args.update, mark, '', check=True)
        if args.memory:
            rows = measure_memory(args.samples)
        else:
            rows = measure_all(args.layouts or list(ARCHIVES), images=args.images, passes=args.passes, size=size)
        if args.update:
            replace_between(args.update, mark, memory_table(rows) if args.memory else table(rows, speeds=False))
    print(json.dumps(rows, indent=1) if args.json else memory_table(rows) if args.memory else table(rows))


if __name__ == '__main__':
    main()
