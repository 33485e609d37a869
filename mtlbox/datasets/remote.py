"""Where data sets can be fetched from, and fetching them.

Addresses are those that the authors' pages or repositories give. Sizes and checksums are there where they are known:
of the official NYU files they are those that several projects on GitHub state alike, of Virtual KITTI 2 those of the
authors' ``vkitti_2.0.3_md5_checksums.txt``, as two projects quote it; the other authors publish none.
"""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from mtlbox.datasets.layouts import LAYOUTS, SEVERAL
from mtlbox.datasets.layouts.arrays import SETS
from mtlbox.datasets.messages import origin_at
from mtlbox.engine.fetch import fetch
from mtlbox.registry import did_you_mean

_DAMAGE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class RemoteFile:
    """A file and what is known of it.

    Attributes:
        url: Its address.
        size: Bytes; None where it is not known.
        digest: As :func:`~mtlbox.engine.fetch.fetch` takes it; '' where it is not known.
    """

    url: str
    size: int | None = None
    digest: str = ''

    @property
    def name(self) -> str:
        """Its name on disk."""
        return self.url.rpartition('/')[2]

    def __str__(self) -> str:
        size = f'{self.size / 1e9:.2f} GB' if self.size and self.size > 1e8 else f'{self.size} bytes'
        return f'{self.url} ({size if self.size else "size not published"}{", checksum known" if self.digest else ""})'


@dataclass(frozen=True)
class DataSource:
    """Where a data set can be fetched from.

    Attributes:
        title: What it is.
        files: The files; archives, all of which are unpacked into one folder, or files that are kept as they are.
        archive: Whether they are archives.
        then: What to do with files that are kept, with ``{root}``.
        holds: Pattern of what the data set's folder holds, as ``'Scene*'``. An archive's only folder is that folder,
            unless its name fits the pattern; '' fits none.
    """

    title: str
    files: tuple[RemoteFile, ...]
    archive: bool = True
    then: str = ''
    holds: str = ''


_NYU, _ETH = 'http://horatio.cs.nyu.edu/mit/silberman', 'https://data.vision.ee.ethz.ch'
_NAVER = 'https://download.europe.naverlabs.com//virtual_kitti_2.0.3'  # with the two slashes of the authors' page
SOURCES: dict[str, DataSource] = {
    'nyu-official': DataSource(
        'the labelled part of NYU Depth v2 by its authors, with the split and the 40 classes',
        (
            RemoteFile(
                f'{_NYU}/nyu_depth_v2/nyu_depth_v2_labeled.mat',
                2972037809,
                'sha256:2d724b0c0ab358aa1ce5df855e5bd14a2279ab7202efe22f32a30d612dcb86aa',
            ),
            RemoteFile(
                f'{_NYU}/indoor_seg_sup/splits.mat',
                2626,
                'sha256:6e081404491a8bfba2f066beaa9713ef6046f9007aa5f799f2a350506a580cee',
            ),
            RemoteFile('https://github.com/ankurhanda/nyuv2-meta-data/raw/master/classMapping40.mat'),
        ),
        archive=False,
        then='python tools/data.py convert nyud-c {root}/nyu_depth_v2_labeled.mat data/nyud '
        '--splits {root}/splits.mat --classes {root}/classMapping40.mat',
    ),
    'nyud-a': DataSource("ASTMT's archive", (RemoteFile(f'{_ETH}/kmaninis/share/MTL/NYUD_MT.tgz'),)),
    'nyud-c': DataSource("ATRC's archive", (RemoteFile(f'{_ETH}/brdavid/atrc/NYUDv2.tar.gz'),)),
    'pascal': DataSource("ATRC's copy of ASTMT's archive", (RemoteFile(f'{_ETH}/brdavid/atrc/PASCALContext.tar.gz'),)),
    'vkitti2-joint': DataSource(
        'pictures, depth and classes of Virtual KITTI 2.0.3 by its authors',
        (
            RemoteFile(f'{_NAVER}/vkitti_2.0.3_rgb.tar', digest='md5:1e00a143a397c2c53aa9720a868fe34a'),
            RemoteFile(f'{_NAVER}/vkitti_2.0.3_depth.tar', digest='md5:1d34a96f870fc5d33b482df87844f5e4'),
            RemoteFile(f'{_NAVER}/vkitti_2.0.3_classSegmentation.tar', digest='md5:e8658ab49250e61f1caa174625563263'),
        ),
        holds='Scene*',
    ),
}
"""By the name of the data set."""


def instructions(dataset: str) -> str:
    """Return what to do for a data set that has no source here.

    Raises:
        ValueError: The name is unknown.
    """
    if dataset in SEVERAL:
        layouts = [name for name, layout in LAYOUTS.items() if layout.dataset is LAYOUTS[SEVERAL[dataset]].dataset]
        raise ValueError(f'{dataset} has several layouts: name one of {", ".join(layouts)}.')
    if dataset in SETS:
        raise ValueError(f'{dataset} is made of {SETS[dataset]}: python tools/data.py convert {dataset} SOURCE ROOT')
    if dataset not in LAYOUTS:
        raise ValueError(f'{dataset!r} is no data set.{did_you_mean(dataset, {**LAYOUTS, **SOURCES})}')
    layout = LAYOUTS[dataset]
    origin = origin_at(layout.dataset.origin_of(dataset), 'ROOT')
    return (
        f'{dataset} ({layout.title}) is not fetched by this program.\n'
        f'To get it: {origin}\nThen look whether it is whole: python tools/data.py verify {dataset} ROOT\n'
        f'To try everything without it, on rendered rooms: python tools/data.py replica {dataset} ROOT'
    )


def download(dataset: str, root: str | Path, *, keep: bool = False, quiet: bool = False) -> str:
    """Fetch a data set such that ``root`` holds it; return what to do next.

    What was fetched before, in part too, is not fetched again, nor is unpacked again what was. Archives are unpacked
    beside ``root``, which appears when it is complete; an empty one that is there stays the same folder.

    Args:
        dataset: Name in :data:`SOURCES`.
        root: Its folder; for archives a new or empty one.
        keep: Keep the archives, in ``{root}.download``; else each is deleted when it is unpacked.
        quiet: Show no progress bars.

    Raises:
        ValueError: The name is unknown, or an archive is damaged.
        FileExistsError: ``root`` holds something.
        WrongContentError: A file is not what was expected.
        URLError: The server refuses or cannot be reached.
        OSError: The disk is full.
    """
    if dataset not in SOURCES:
        raise ValueError(f'{dataset!r} has no source.{did_you_mean(dataset, SOURCES)}')
    source, root = SOURCES[dataset], Path(os.path.abspath(root))  # '.' has no name
    if not source.archive:
        for file in source.files:
            _fetch(file, root, quiet=quiet)
        return source.then.format(root=root)
    folder = root.with_name(f'{root.name}.download')
    whole = folder / f'{dataset}.whole'  # what becomes root
    if not whole.is_dir() and (root.is_file() or (root.is_dir() and any(root.iterdir()))):
        raise FileExistsError(
            f'{root} exists and holds something: name a new folder, or look at what there is with python tools/data.py '
            f'info {dataset} {root}'
        )
    if not whole.is_dir():
        first, *others = [_unpacked(file, folder, source.holds, keep=keep, quiet=quiet) for file in source.files]
        for other in others:
            _move_into(first, other)
        os.rename(first, whole)
    if root.is_dir():
        _move_into(root, whole)  # it may be where the user's shell is
    else:
        os.rename(whole, root)
    if not keep:
        shutil.rmtree(folder)
    return f'python tools/data.py verify {dataset} {root}'


def _fetch(file: RemoteFile, folder: Path, *, quiet: bool) -> Path:
    return fetch(file.url, folder / file.name, size=file.size, digest=file.digest, quiet=quiet)


def _unpacked(file: RemoteFile, folder: Path, holds: str, *, keep: bool, quiet: bool) -> Path:
    """Return the folder of an archive's content, which is there when it is whole; fetch and unpack it where it is not.

    The archive is deleted then, unless it is to be kept.
    """
    content = folder / f'{file.name}.unpacked'
    if not content.is_dir():
        _unpack(_fetch(file, folder, quiet=quiet), content, holds, quiet=quiet)
    if not keep:
        (folder / file.name).unlink(missing_ok=True)
    return content


def _unpack(archive: Path, content: Path, holds: str, *, quiet: bool) -> None:
    """Let ``content`` be what the archive holds, whole or not at all."""
    folder = archive.with_name(f'{archive.name}.unpacking')
    shutil.rmtree(folder, ignore_errors=True)  # what a kill left
    folder.mkdir()
    try:
        with tarfile.open(archive, 'r|*') as tar:
            for member in tqdm(tar, desc=f'unpacking {archive.name}', unit='file', disable=quiet):
                tar.extract(member, folder, filter='data')
        inside = list(folder.iterdir())
        is_on_top = len(inside) == 1 and inside[0].is_dir() and not fnmatch(inside[0].name, holds)
        os.rename(inside[0] if is_on_top else folder, content)
    except _DAMAGE as error:
        raise ValueError(f'{archive} is damaged or is no archive: {error}. Delete it and fetch it again.') from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            errno.ENOSPC, 'The disk is full; the archive is kept, and the same call unpacks it', str(archive)
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into(folder: Path, other: Path) -> None:
    """Move what ``other`` holds into ``folder``; ``other`` is there until the last of it has been moved."""
    for path in sorted(other.iterdir()):
        place = folder / path.name
        if path.is_dir() and place.is_dir():
            _move_into(place, path)
        else:
            os.replace(path, place)
    other.rmdir()
