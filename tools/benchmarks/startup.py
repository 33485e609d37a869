"""Time what a data set does before training: the look at all files, and the same when its verdict stands.

python tools/benchmarks/startup.py                           a replica of nyud-c, 4000 samples of 16x24, 20000 files
python tools/benchmarks/startup.py nyuv2-13 --root data/nyuv2-13       a data set that is there
python tools/benchmarks/startup.py --memory                  what is held while the files of many samples are looked at

Times are of the processor, the least of some repeats, with all files in the system's cache. On a cold disk or over a
network the look costs more, while the verdict needs no file opened, only its size and time asked for.

``--memory`` makes empty files of samples of Taskonomy, an image and a label each, and prints MB that are added, at the
peak and in a process of its own, to the list of the samples: by the look for pictures that are missing though a label
of theirs is there; by the look for what is to be converted to arrays, with the states of all sources; and by writing
the hashes of all files. A quarter of the samples shows what grows with them.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger

from mtlbox.apis.measuring import extra_peak_mb
from mtlbox.apis.tables import replace_between
from mtlbox.datasets import Taskonomy
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.arrays import find_missing
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import available_cores
from mtlbox.datasets.verdict import FOLDER
from mtlbox.datasets.verify import Part

SIZE = (16, 24)
BUILDINGS = 537  # of Taskonomy
DOMAINS = ('rgb', 'depth_zbuffer')


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('layout', nargs='?', default='nyud-c', choices=LAYOUTS)
    parser.add_argument('--root', help='a data set that is there, and whose verdicts are forgotten')
    parser.add_argument('--samples', type=int, metavar='N', help='4000; 200000 of --memory')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--memory', action='store_true', help='measure memory, of Taskonomy')
    parser.add_argument('--update', type=Path, metavar='PAGE', help='also write the table of --memory into this page')
    args = parser.parse_args(argv)
    MMLogger.get_instance('startup', logger_name='startup', log_level='ERROR')
    if args.memory:
        if args.update:  # wrong marks are said now, not in minutes
            replace_between(args.update, 'files-memory', '', check=True)
        count = args.samples or 200_000
        table = memory_table({size: measure_memory(size) for size in (count // 4, count)})
        if args.update:
            replace_between(args.update, 'files-memory', table)
        print(table)
        return
    if args.root:
        measure(args.layout, Path(args.root), args.repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        counts = {'train': args.samples or 4000, 'val': 1}
        write_replica(args.layout, folder, counts=counts, size=SIZE, workers=available_cores(), quiet=True)
        for path in Path(folder).rglob('*'):
            os.utime(path, (time.time() - 60,) * 2)  # what has only just changed gets no verdict
        measure(args.layout, Path(folder), args.repeats)


def measure(name: str, root: Path, repeats: int) -> None:
    """Print the times to build the training split without a look, with one, and with its verdict."""
    layout = LAYOUTS[name]

    def build(**options: Any) -> float:
        started = time.process_time()
        layout.dataset(data_root=str(root), split='train', tasks=layout.tasks, **layout.options, **options)
        return time.process_time() - started

    def build_anew() -> float:
        shutil.rmtree(root / FOLDER, ignore_errors=True)
        return build()

    ways = {
        'no look (check=False)': lambda: build(check=False),
        'a look at every file': build_anew,
        'the verdict stands': build,
    }
    times = {what: [way()] for what, way in ways.items()}
    for _ in range(repeats):
        for what, way in ways.items():  # in turn, for a machine is now faster, now slower
            times[what].append(way())
    least = {what: min(seconds) for what, seconds in times.items()}
    for what, seconds in least.items():
        more = seconds - least['no look (check=False)']
        print(f'{what}: {seconds:.3f} s, {max(more, 0):.3f} s of it for the look')


def make_files(root: Path, count: int) -> Taskonomy:
    """Make empty files of ``count`` samples of Taskonomy and return their data set."""
    buildings = [f'building{number:03d}' for number in range(min(count, BUILDINGS))]
    for domain, building in product(DOMAINS, buildings):
        (root / domain / building).mkdir(parents=True)
    for number, domain in product(range(count), DOMAINS):
        name = f'point_{number:07d}_view_{number % 9}_domain_{domain}.png'
        os.close(os.open(root / domain / buildings[number % len(buildings)] / name, os.O_CREAT))
    rows = [f'{building},1,0,0' for building in buildings]
    (root / 'train_val_test_tiny.csv').write_text('\n'.join(['id,train,val,test', *rows]), encoding='utf-8')
    return Taskonomy(data_root=str(root), split='train', tasks={'depth': {'type': 'Depth'}})


def look_for_pictures(dataset: Taskonomy) -> None:
    """Look for pictures that are missing, of which there are none."""
    if any(dataset.missing_pictures()):
        raise AssertionError('a picture is missing')


def look_for_work(dataset: Taskonomy) -> None:
    """Look for what is to be converted, which is everything."""
    found, _ = find_missing({Part('taskonomy', dataset.data_root, 'train'): dataset}, Path(dataset.data_root))
    if sum(map(len, found.values())) != len(dataset):
        raise AssertionError('something is converted already')


def write_hashes(dataset: Taskonomy) -> None:
    """Write down a hash of each file as it would come, and then all in order."""
    hashes = Hashes(Path(dataset.data_root))
    files = (dataset.files_of(dataset.get_data_info(index)) for index in range(len(dataset)))
    hashes.note({Path(file): '0' * 64 for file in sample} for sample in files)
    hashes.finish()


PASSES: dict[str, Callable[[Taskonomy], None]] = {
    'missing pictures': look_for_pictures,
    'sources of a conversion': look_for_work,
    'hashes of a conversion': write_hashes,
}
"""What goes through all files of a data set."""


def measure_memory(count: int) -> dict[str, float]:
    """Return MB that each of :data:`PASSES` adds at its peak, of ``count`` samples."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_files(Path(folder), count)
        return {what: _peak(partial(go_through, dataset)) for what, go_through in PASSES.items()}


def _peak(run: Callable[[], None]) -> float:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')) as process:
        return process.submit(extra_peak_mb, run, device=torch.device('cpu')).result()


def memory_table(peaks: Mapping[int, Mapping[str, float]]) -> str:
    """Return a table in Markdown of MB by what is gone through, a column per number of samples."""
    columns = ' | '.join(f'{count} samples' for count in peaks)
    return '\n'.join(
        [
            f'| MB at the peak | {columns} |',
            '| --- |' + ' ---: |' * len(peaks),
            *(f'| {what} | {" | ".join(f"{peaks[count][what]:.0f}" for count in peaks)} |' for what in PASSES),
        ]
    )


if __name__ == '__main__':
    main()
