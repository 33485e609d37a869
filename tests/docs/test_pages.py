"""The pages of docs/ do what they say: their Python runs, and their commands name what is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

from mtlbox.config import load_config
from mtlbox.config.keys import RUNNER_KEYS
from mtlbox.datasets.verify import KNOWN

ROOT = Path(__file__).parents[2]
PAGES = sorted(ROOT.glob('docs/*.md'))
READMES = [ROOT / 'README.md', *sorted(ROOT.glob('configs/*/README.md')), *sorted(ROOT.glob('projects/**/README.md'))]
SCRIPTS = [page for page in PAGES if page.stem.startswith('add_a_')]
CONFIGS = sorted(ROOT.glob('configs/[!_]*/*.py'), key=lambda path: -path.stat().st_size)
"""The longest first: they write out the keys that a page names, and others inherit them."""
OPTION = re.compile(rf'(?<![\w.])((?:{"|".join(sorted(RUNNER_KEYS))})(?:\.\w+)+)=')


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of the fenced blocks of ``language``."""
    text = page.read_text()
    for found in re.finditer(rf'^```{language}\n(.*?)^```$', text, flags=re.MULTILINE | re.DOTALL):
        yield text[: found.start(1)].count('\n') + 1, found[1]


def commands() -> list:
    """All shell lines of all pages that run a tool, one parameter each."""
    found = []
    for page in [*PAGES, *READMES]:
        for _, text in blocks(page, 'bash'):
            for line in text.replace('\\\n', ' ').splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r'[A-Z_]+=.*', words[0]):
                    words = words[1:]
                if words and any(word.startswith('tools/') for word in words[:2]):
                    found.append(pytest.param(words, id=f'{page.name}: {" ".join(words)[:80]}'))
    return found


def test_there_are_pages() -> None:
    assert len(SCRIPTS) == 4
    assert len(commands()) > 10


def test_the_data_set_of_the_page_is_short_and_its_config_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / 'docs/add_a_dataset.md'
    (_, _), (_, module), *_ = blocks(page, 'python')
    [(_, config)] = blocks(page, 'py')
    assert sum(bool(line.strip()) for line in module.splitlines()) <= 30
    (tmp_path / 'my_package.py').write_text(module)
    (tmp_path / 'config.py').write_text(config.replace("'./", f"'{ROOT}/configs/ctal/"))
    monkeypatch.syspath_prepend(tmp_path)
    cfg = load_config(tmp_path / 'config.py')
    assert cfg.train_dataloader.dataset.type == cfg.test_dataloader.dataset.type == 'Pictures'


@pytest.mark.slow
@pytest.mark.parametrize('page', SCRIPTS, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    script = ''
    for line, text in blocks(page, 'python'):
        script += '\n' * (line - script.count('\n') - 1) + text  # tracebacks show the page's own line numbers
    assert script.count('assert') >= 2
    (tmp_path / f'{page.stem}.py').write_text(script)
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    done = subprocess.run(
        [sys.executable, f'{page.stem}.py'], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_the_config_of_add_a_dataset_trains(tmp_path: Path) -> None:
    page = ROOT / 'docs' / 'add_a_dataset.md'
    writing, reading = (text for _, text in list(blocks(page, 'python'))[:2])
    ((_, config),) = blocks(page, 'py')
    base = './ctal_hrnet18_rooms.py'
    assert base in config
    (tmp_path / 'my_package.py').write_text(reading)
    (tmp_path / 'pictures.py').write_text(config.replace(base, str(ROOT / 'configs' / 'ctal' / base)))
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)])}
    for command in (['-c', writing], [str(ROOT / 'tools/train.py'), 'pictures.py', '--work-dir', 'run']):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / 'run' / 'result.json').is_file()


@pytest.mark.parametrize('page', [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_python_that_is_not_run_compiles(page: Path) -> None:
    for line, text in blocks(page, 'py'):
        assert compile(text, f'{page.name}:{line}', 'exec').co_code, f'{page.name}:{line} is empty'


@pytest.mark.parametrize('words', commands())
def test_commands_name_tools_options_and_configs_that_exist(words: list[str]) -> None:
    tool = ROOT / next(word for word in words if word.startswith('tools/'))
    assert tool.is_file()
    for word in words:
        if word.startswith(('configs/', 'projects/')) and word.endswith('.py'):
            assert (ROOT / word).is_file(), word
    source = tool.read_text()
    if tool.suffix == '.sh':
        source += (ROOT / 'tools' / ('test.py' if 'test' in tool.stem else 'train.py')).read_text()
    made = {'--train', '--val', *(f'--{key}' for cls, _, _ in KNOWN.values() for key in cls.CHOICES)}  # of other names
    for option in {word.partition('=')[0] for word in words if word.startswith('--')}:
        assert f"'{option}'" in source or option in made, f'{tool.name} has no option {option}'


@pytest.mark.parametrize('page', READMES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_readme_lead_somewhere(page: Path) -> None:
    for target in re.findall(r'\]\(([^)#]+)[^)]*\)', page.read_text()):
        if not target.startswith('http'):
            assert (page.parent / target).exists(), f'{page}: {target}'


def options(page: Path) -> list[str]:
    """Keys of a config that a page gives a value to, as ``model.neck.depth=2`` for ``--cfg-options`` does."""
    return sorted(set(OPTION.findall(page.read_text())))


@cache
def keys(config: Path) -> frozenset[str]:
    """All keys of a config, ``model.neck.depth`` and ``test_evaluator.metrics.0.type`` among them."""

    def below(value: object, place: str) -> Iterator[str]:
        items: Iterable[tuple[object, object]] = ()
        if isinstance(value, dict):
            items = value.items()
        elif isinstance(value, (list, tuple)):
            items = enumerate(value)
        for key, inner in items:
            yield f'{place}{key}'
            yield from below(inner, f'{place}{key}.')

    return frozenset(below(Config.fromfile(config, import_custom_modules=False).to_dict(), ''))


def test_options_are_found_on_pages() -> None:
    found = {option for page in [*PAGES, *READMES] for option in options(page)}
    assert {'model.neck.deform_impl', 'optim_wrapper.optimizer.lr', 'test_evaluator.metrics.0.protocol'} < found


@pytest.mark.parametrize(
    'page', [page for page in [*PAGES, *READMES] if options(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_options_of_a_page_are_keys_of_a_config(page: Path) -> None:
    """``--cfg-options`` changes what a config says, and refuses all other keys; a method's page speaks of its own."""
    configs = [path for path in CONFIGS if path.parent == page.parent] or CONFIGS
    unknown = set(options(page))
    for config in configs:
        if not unknown:
            break
        unknown -= keys(config)
    assert not unknown, f'no config of {page} has {sorted(unknown)}'
