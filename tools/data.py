"""Fetch data sets, write them in the layouts that the configs read, and verify those you have.

python tools/data.py info nyud ROOT                   what it is, where to get it, and what ROOT holds
python tools/data.py download nyud-c ROOT             fetch it, or say how to get it
python tools/data.py verify nyud ROOT                 read everything once; what is missing, damaged or looks wrong
python tools/data.py list                             the data sets, and what each command can do for them
python tools/data.py replica nyuv2-13 ROOT            rendered rooms in the layout of the real data set
python tools/data.py convert nyuv2-13 SOURCE ROOT     a folder of official-style pictures, or the official .mat
python tools/data.py convert nyud-arrays SOURCE ROOT  any archive of a data set, to what is read fastest
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from urllib.error import URLError

from mtlbox.datasets.info import describe, title_of
from mtlbox.datasets.layouts import LAYOUTS, arrays, given_normals, nyu_official, nyu_pictures
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import available_cores
from mtlbox.datasets.remote import SOURCES, download, instructions
from mtlbox.datasets.verify import KNOWN, verify


def add_list(parser: argparse.ArgumentParser) -> None:
    """Declare ``list``, which takes nothing."""


def list_layouts(args: argparse.Namespace) -> None:
    """Print the data sets, and which commands take them."""
    commands = {'replica': LAYOUTS, 'convert': CONVERTERS, 'verify': KNOWN, 'download': SOURCES}
    for name in KNOWN:
        layout, size = LAYOUTS.get(name), ''
        if layout is not None:
            counts = ', '.join(f'{split} {n}' for split, n in layout.counts.items())
            size = f'; {counts}; {layout.size[0]}x{layout.size[1]}'
        taken = ', '.join(command for command, names in commands.items() if name in names)
        print(f'{name}: {title_of(name)}{size} ({taken})')


def add_size(parser: argparse.ArgumentParser) -> None:
    """Add the option of what makes maps of a size."""
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'), help="default: the data set's own size")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add the option of what works with several processes."""
    parser.add_argument('--workers', type=int, default=available_cores(), metavar='N', help='processes (%(default)s)')


def add_subset(parser: argparse.ArgumentParser) -> None:
    """Add the option of what reads a data set that may have subsets."""
    having = {name: cls.SUBSETS for name, (cls, _, options) in KNOWN.items() if cls.SUBSETS and not options}
    said = '; '.join(f'{name}: {", ".join(subsets)}' for name, subsets in having.items())
    parser.add_argument('--subset', metavar='NAME', help=f'{said} (default: the first)')


def add_replica(parser: argparse.ArgumentParser) -> None:
    """Declare ``replica``."""
    parser.add_argument('dataset', metavar='DATASET', help=', '.join(LAYOUTS))
    parser.add_argument('root', metavar='ROOT', help='a new or empty folder; or one to resume')
    for split in ('train', 'val'):
        parser.add_argument(f'--{split}', type=int, metavar='N', help=f'{split} samples (default: as the real data)')
    add_size(parser)
    add_workers(parser)


def replica(args: argparse.Namespace) -> None:
    """Write rooms in the layout of a data set."""
    counts = {split: n for split in ('train', 'val') if (n := getattr(args, split)) is not None}
    size = tuple(args.size) if args.size else None
    written = write_replica(args.dataset, args.root, counts=counts, size=size, workers=args.workers)
    print(f'{args.root}: ' + ', '.join(f'{split} {n}' for split, n in written.items()) + ' written now.')
    print('These are rendered rooms, not the real data set: scores do not compare.')


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Declare ``convert``; what else it takes depends on the data set."""
    parser.add_argument('given', nargs=argparse.PARSER, metavar='DATASET', help='one of these, and what it takes')
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    width = max(map(len, CONVERTERS))
    parser.epilog = '\n'.join(f'  {name:{width}}  {title_of(name)}' for name in CONVERTERS)


def convert(args: argparse.Namespace) -> None:
    """Bring pictures into the layout of a data set."""
    name, *rest = args.given
    if name not in CONVERTERS:
        raise ValueError(arrays.why_not(name, CONVERTERS))
    description, declare, run = CONVERTERS[name]
    parser = argparse.ArgumentParser(
        prog=f'data.py convert {name}',
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    declare(parser)
    add_workers(parser)
    run(parser.parse_args(rest, argparse.Namespace(dataset=name)))


def add_nyu_pictures(parser: argparse.ArgumentParser) -> None:
    """Declare what the converter of NYU pictures takes."""
    parser.add_argument(
        'source', metavar='SOURCE', help='folder with image/*.png, semseg13/*.png, ..., or nyu_depth_v2_labeled.mat'
    )
    parser.add_argument('root', metavar='ROOT', help='a new or empty folder; or one to resume')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--split', choices=('train', 'val'), default='val', help='where all images go (%(default)s)')
    where.add_argument('--splits', metavar='FILE', help='the official splits.mat, which says where each image goes')
    parser.add_argument('--classes', metavar='FILE', help='of the .mat: the official classMapping40.mat')
    add_normals(parser, f'{nyu_pictures.NORMAL_AXES}; of the .mat {given_normals.AXES}')
    add_size(parser)


def add_normals(parser: argparse.ArgumentParser, axes: str) -> None:
    """Add what says where normals are from; ``axes`` are those by default."""
    parser.add_argument(
        '--normals', metavar='DIR', help='of the .mat: a folder of 0007.npy or .png, taken instead of computed ones'
    )
    parser.add_argument(
        '--normal-axes', metavar='X,Y,Z', help=f'which channels are right, down and forward (default: {axes})'
    )


def convert_nyu_pictures(args: argparse.Namespace) -> None:
    """Convert NYU pictures, or the official file."""
    if args.source.endswith('.mat'):
        convert_nyu_official(args)
        return
    if args.normals is not None:
        raise ValueError('--normals is for the official .mat; pictures of normals are read from SOURCE/normal_rgb.')
    report = nyu_pictures.convert(
        args.source,
        args.root,
        split=args.split,
        splits=args.splits,
        size=tuple(args.size) if args.size else LAYOUTS[args.dataset].size,
        normal_axes=args.normal_axes or nyu_pictures.NORMAL_AXES,
        workers=args.workers,
    )
    print(report)


def add_nyu_official(parser: argparse.ArgumentParser) -> None:
    """Declare what the converter of the official file of NYU Depth v2 takes."""
    parser.add_argument('source', metavar='SOURCE', help='the official nyu_depth_v2_labeled.mat')
    parser.add_argument('root', metavar='ROOT', help='a new or empty folder; or one to resume')
    parser.add_argument('--splits', metavar='FILE', help='the official splits.mat')
    parser.add_argument('--classes', metavar='FILE', help='the official classMapping40.mat')
    add_normals(parser, given_normals.AXES)
    add_size(parser)


def convert_nyu_official(args: argparse.Namespace) -> None:
    """Convert the official file of NYU Depth v2."""
    if args.splits is None or args.classes is None:
        raise ValueError('The official file needs --splits splits.mat and --classes classMapping40.mat.')
    written = nyu_official.convert(
        args.source,
        args.root,
        dataset=args.dataset,
        splits=args.splits,
        classes=args.classes,
        size=tuple(args.size) if args.size else None,
        normals=args.normals,
        normal_axes=args.normal_axes or given_normals.AXES,
        workers=args.workers,
    )
    print(f'{args.root}: ' + ', '.join(f'{split} {n}' for split, n in written.items()) + ' written now.')
    ours = 'Boundaries and normals are' if args.normals is None else 'Boundaries are'
    print(f'{ours} of our own method: their scores do not compare with published ones.')


def add_arrays(parser: argparse.ArgumentParser, dataset: str) -> None:
    """Declare what the converter of a data set to arrays takes."""
    parser.add_argument('source', metavar='SOURCE', help='folder of the data set, in any of its layouts')
    parser.add_argument('root', metavar='ROOT', help='a new or empty folder; or one to resume')
    parser.add_argument('--labels', nargs='+', metavar='LABEL', help='only these labels (default: all)')
    add_subset(parser)
    for key, values in KNOWN[dataset][0].CHOICES.items():
        known = ', '.join(map(str, values))
        parser.add_argument(f'--{key}', nargs='+', type=type(values[0]), metavar='X', help=f'only these, of {known}')


def convert_arrays(args: argparse.Namespace) -> None:
    """Convert a data set to arrays."""
    choices = {key: getattr(args, key) for key in KNOWN[args.dataset][0].CHOICES}
    written = arrays.convert(
        args.source,
        args.root,
        dataset=args.dataset,
        labels=args.labels,
        subset=args.subset,
        choice={key: values for key, values in choices.items() if values is not None},
        workers=args.workers,
    )
    print(f'{args.root}: ' + ', '.join(f'{split} {n}' for split, n in written.items()) + ' written now.')


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Declare ``verify``."""
    parser.add_argument('dataset', metavar='DATASET', help=', '.join(KNOWN))
    parser.add_argument('root', metavar='ROOT', help='its folder')
    parser.add_argument('--json', action='store_true', help='print the report as JSON')
    parser.add_argument(
        '--labels', nargs='+', metavar='LABEL', help='look at these labels only, where the others are not there'
    )
    add_subset(parser)
    parser.add_argument('--again', action='store_true', help='read what was read before and has not changed, too')
    add_workers(parser)


def verify_dataset(args: argparse.Namespace) -> None:
    """Read every sample of a data set and say what is wrong; exit status 1 where anything is."""
    report = verify(
        args.dataset, args.root, labels=args.labels, subset=args.subset, workers=args.workers, again=args.again
    )
    print(json.dumps(report.as_dict(), indent=1) if args.json else report)
    if not report.good:
        sys.exit(1)


def add_info(parser: argparse.ArgumentParser) -> None:
    """Declare ``info``."""
    parser.add_argument('dataset', metavar='DATASET', help=', '.join(dict.fromkeys([*KNOWN, *SOURCES])))
    parser.add_argument('root', metavar='ROOT', nargs='?', help='a folder of which to say what it holds')


def info(args: argparse.Namespace) -> None:
    """Say what a data set is, where to get it, and what a folder holds."""
    print(describe(args.dataset, args.root))


def add_download(parser: argparse.ArgumentParser) -> None:
    """Declare ``download``."""
    parser.add_argument('dataset', metavar='DATASET', help=f'{", ".join(SOURCES)}; instructions for all others')
    parser.add_argument('root', metavar='ROOT', help='its folder; of archives a new or empty one')
    parser.add_argument('--keep', action='store_true', help='keep the archives in ROOT.download')


def download_dataset(args: argparse.Namespace) -> None:
    """Fetch a data set, or say how to get it; exit status 1 where it cannot be fetched."""
    if args.dataset not in SOURCES:
        sys.exit(instructions(args.dataset))
    print(f'{args.root} is complete. Next: {download(args.dataset, args.root, keep=args.keep)}')


Declare = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], None]

CONVERTERS: dict[str, tuple[str | None, Declare, Run]] = {
    'nyuv2-13': (
        f'{nyu_pictures.__doc__}\n{nyu_official.__doc__}',
        add_nyu_pictures,
        convert_nyu_pictures,
    ),
    'nyud-c': (nyu_official.__doc__, add_nyu_official, convert_nyu_official),
    **{name: (arrays.__doc__, partial(add_arrays, dataset=name), convert_arrays) for name in arrays.SETS},
}
"""Per data set: the help text, the options, the converter."""
COMMANDS: dict[str, tuple[Declare, Run]] = {
    'list': (add_list, list_layouts),
    'replica': (add_replica, replica),
    'convert': (add_convert, convert),
    'verify': (add_verify, verify_dataset),
    'info': (add_info, info),
    'download': (add_download, download_dataset),
}
"""Per command: its options, and what it does."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name, (declare, run) in COMMANDS.items():
        sub = commands.add_parser(name, help=run.__doc__)
        declare(sub)
        sub.set_defaults(run=run)
    args = parser.parse_args(argv)
    try:
        args.run(args)
    except BrokenPipeError:  # who reads the output wants no more of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'error: {error.reason if isinstance(error, URLError) else error}')
    except KeyboardInterrupt:
        sys.exit('interrupted; the same command goes on where it was')


if __name__ == '__main__':
    main()
