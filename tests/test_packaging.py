"""What is published can be installed: a wheel from the source distribution."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_can_be_built_from_the_source_distribution(tmp_path: Path) -> None:
    sources = tmp_path / 'sources'  # a copy, for setuptools writes beside them
    files = subprocess.run(['git', '-C', str(ROOT), 'ls-files'], capture_output=True, text=True, check=False)
    if files.returncode:
        pytest.skip('not a git checkout')
    for name in files.stdout.splitlines():
        if (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([sys.executable, 'setup.py', '-q', 'sdist', '-d', str(tmp_path)], cwd=sources, check=True)
    (archive,) = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / 'unpacked', filter='data')
    (unpacked,) = (tmp_path / 'unpacked').iterdir()
    pip = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps', '--no-build-isolation', '--no-index']
    subprocess.run([*pip, '--wheel-dir', str(tmp_path), str(unpacked)], check=True)
    (wheel,) = tmp_path.glob('*.whl')
    names = zipfile.ZipFile(wheel).namelist()
    tracked = set(files.stdout.splitlines())
    for part in ('configs', 'tools'):
        expected = {f'mtlbox/.mim/{name}' for name in tracked if name.startswith(f'{part}/')}
        assert expected <= set(names), sorted(expected - set(names))[:5]
    package = {name for name in tracked if name.startswith('mtlbox/')}
    assert package <= set(names), sorted(package - set(names))[:5]
    assert 'mtlbox/.mim/model-index.yml' in names and not any(name.startswith('tests/') for name in names)
