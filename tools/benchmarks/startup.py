"""Time what a data set does before training: the look at all files, and the same when its verdict stands.

python tools/benchmarks/startup.py                           a replica of nyud-c, 4000 samples of 16x24, 20000 files
python tools/benchmarks/startup.py nyuv2-13 --root data/nyuv2-13       a data set that is there

Times are of the processor, the least of some repeats, with all files in the system's cache. On a cold disk or over a
network the look costs more, while the verdict needs no file opened, only its size and time asked for.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import available_cores
from mtlbox.datasets.verdict import FOLDER

SIZE = (16, 24)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('layout', nargs='?', default='nyud-c', choices=LAYOUTS)
    parser.add_argument('--root', help='a data set that is there, and whose verdicts are forgotten')
    parser.add_argument('--samples', type=int, default=4000)
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args(argv)
    MMLogger.get_instance('startup', logger_name='startup', log_level='ERROR')
    if args.root:
        measure(args.layout, Path(args.root), args.repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        counts = {'train': args.samples, 'val': 1}
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


if __name__ == '__main__':
    main()
