"""The example project installs as its README says, passes its own tests, trains and is evaluated."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONFIG = 'projects/example_project/configs/softgate_hrnet18_rooms.py'
TINY = [
    'train_cfg.max_epochs=1',
    'train_dataloader.dataset.length=4',
    'train_dataloader.batch_size=2',
    'val_dataloader.dataset.length=2',
    'test_dataloader.dataset.length=2',
]

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f'{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
    return done.stdout


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the project needs, and an environment that sees this one's packages and the project's."""
    top = tmp_path_factory.mktemp('checkout')
    clean = shutil.ignore_patterns('__pycache__', '*.egg-info', 'build')
    for name in ('configs', 'projects'):
        shutil.copytree(ROOT / name, top / name, ignore=clean)
    venv.create(top / 'venv', symlinks=True)
    own = next((top / 'venv' / 'lib').glob('python*/site-packages'))
    lines = [f'import site; site.addsitedir({path!r})\n' for path in site.getsitepackages()]
    (own / 'outer.pth').write_text(''.join(lines))
    install = ('-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps', '--no-build-isolation')
    run(top / 'venv/bin/python', *install, '-e', 'projects/example_project', cwd=top)
    return top


def test_it_is_not_installed_here() -> None:
    probe = subprocess.run([sys.executable, '-c', 'import example_project'], cwd='/', capture_output=True, text=True)
    assert 'ModuleNotFoundError' in probe.stderr, 'the other tests would prove nothing'


def test_its_own_tests_pass(checkout: Path) -> None:
    out = run(checkout / 'venv/bin/python', '-m', 'pytest', '-q', 'projects/example_project/tests', cwd=checkout)
    assert '4 passed' in out


def test_train_and_test(checkout: Path) -> None:
    python, options = checkout / 'venv/bin/python', ('--cfg-options', *TINY)
    run(python, ROOT / 'tools/train.py', CONFIG, '--work-dir', 'work', *options, cwd=checkout)
    result = json.loads((checkout / 'work/result.json').read_text())
    assert result['scores']['normals/mErr'] is not None
    checkpoint = (checkout / 'work/last_checkpoint').read_text()
    test = ('--work-dir', 'tested', '--out', 'scores.json')
    run(python, ROOT / 'tools/test.py', CONFIG, checkpoint, *test, *options, cwd=checkout)
    scores = json.loads((checkout / 'scores.json').read_text())['scores']
    assert scores == pytest.approx(result['val']['scores'], rel=1e-4)


def test_without_it_the_error_names_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / 'tools/train.py'), CONFIG, '--work-dir', str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "custom_imports: the module 'example_project' failed" in done.stderr
    assert 'Traceback' not in done.stderr
