"""Say what this machine lacks before anything is installed; needs nothing but Python.

``python tools/preflight.py`` checks the interpreter, the system libraries that wheels load, and the free space;
``--installed`` checks the environment that it runs in; ``--step TEXT`` prints what comes next.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import importlib.metadata
import shutil
import sys
from pathlib import Path

SUPPORTED = ((3, 10), (3, 13))
LIBRARIES = {  # what opencv-python loads: (soname, Debian's package, Fedora's package)
    'libGL.so.1': ('libgl1', 'mesa-libGL'),
    'libgthread-2.0.so.0': ('libglib2.0-0', 'glib2'),
}
FREE_GB = 8


def check_machine() -> list[str]:
    """Return what is missing before an installation, one instruction each."""
    problems = []
    version = sys.version_info[:2]
    if not SUPPORTED[0] <= version <= SUPPORTED[1]:
        problems.append(
            'Python {}.{} is not supported; use 3.10 to 3.13: make PYTHON=/path/to/python3.11 ...'.format(*version)
        )
    try:
        importlib.import_module('ensurepip')
    except ImportError:
        problems.append('Python has no ensurepip, so no virtual environment can be made: apt-get install python3-venv')
    missing = [name for name in LIBRARIES if not _loads(name)]
    if missing:
        debian = ' '.join(LIBRARIES[name][0] for name in missing)
        fedora = ' '.join(LIBRARIES[name][1] for name in missing)
        problems.append(
            f'system libraries that OpenCV loads are missing: {", ".join(missing)}. '
            f'Install them: apt-get install {debian} (Debian, Ubuntu) or dnf install {fedora} (Fedora, Rocky)'
        )
    free = shutil.disk_usage(Path(__file__).parent).free / 2**30
    if free < FREE_GB:
        problems.append(f'only {free:.1f} GB are free here; the environment needs {FREE_GB} GB')
    return problems


def check_environment() -> list[str]:
    """Return what is wrong with the environment that this runs in."""
    installed = {d.metadata['Name'].lower() for d in importlib.metadata.distributions() if d.metadata['Name']}
    problems = []
    if {'mmcv', 'mmcv-lite'} <= installed:
        problems.append('mmcv and mmcv-lite are both installed and share one folder; pip uninstall both, install one')
    for name in ('torch', 'cv2', 'mmengine', 'mmcv', 'mtlbox'):
        try:
            importlib.import_module(name)
        except Exception as error:
            problems.append(f'{name} does not import: {error}')
    return problems


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def main() -> int:
    """Print what is missing and return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--installed', action='store_true')
    parser.add_argument('--step')
    args = parser.parse_args()
    if args.step:
        print(f'mtlbox: {args.step}', flush=True)
        return 0
    problems = check_environment() if args.installed else check_machine()
    for problem in problems:
        print(f'preflight: {problem}', file=sys.stderr)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
