"""Random deletions, renames and changes of type of a working config: a sentence that names the file or key, or a run.

MTLBOX_FUZZ=500 tries as many instead of a few, MTLBOX_FUZZ_SEED=7 others.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mtlbox.apis import exit_on_user_error
from mtlbox.config import load_config
from mtlbox.engine import build_runner

CONFIG = Path(__file__).parents[2] / 'configs/ctal/ctal_hrnet18_rooms.py'
COUNT, SEED = int(os.environ.get('MTLBOX_FUZZ', '40')), int(os.environ.get('MTLBOX_FUZZ_SEED', '0'))
SECONDS = 120
NUMBERS = itertools.count()
SIZE = (32, 64)
OTHERS: list[Any] = ['word', '', 3, 0, -1, 0.5, True, None, [], {}, [1, 2], {'a': 1}, {'type': 'Nothing'}, [{}]]
HELPERS = ('input_size', 'tasks', 'losses', 'metrics', 'backbone', 'backbone_channels', 'train_pipeline')

Keys = tuple[Any, ...]


def working() -> dict[str, Any]:
    """The rooms config of CTAL, on one small image, without checkpoints."""
    cfg = load_config(CONFIG)
    cfg.model.neck.feature_size = (SIZE[0] // 4, SIZE[1] // 4)
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=1, num_workers=0, persistent_workers=False)
        loader.dataset.update(length=1, size=SIZE)
    cfg.train_cfg.val_interval = 5
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=-1, save_last=False, save_best='semseg/mIoU')
    cfg.custom_hooks = [dict(type='ResultHook'), dict(type='ProgressHook', bar=False)]
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    plain = cfg.to_dict()
    for key in (*HELPERS, 'test_pipeline', 'losses', 'weighting', 'data_preprocessor'):
        plain.pop(key, None)
    return plain


def keys_of(node: Any, above: Keys = ()) -> Iterator[Keys]:
    """Yield the keys of everything below ``node``."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, value in items:
        yield (*above, key)
        yield from keys_of(value, (*above, key))


def misspelt(word: str, rng: random.Random) -> str:
    """``word`` with a letter left out, doubled or exchanged with the next one."""
    i = rng.randrange(max(len(word) - 1, 1))
    other = rng.choice(
        [word[:i] + word[i + 1 :], word[: i + 1] + word[i:], word[:i] + word[i : i + 2][::-1] + word[i + 2 :]]
    )
    return other if other and other != word else word + 'x'


def mutated(cfg: dict[str, Any], rng: random.Random) -> tuple[dict[str, Any], str, Keys]:
    """A copy of ``cfg`` with one change, what was done, and where."""
    cfg = copy.deepcopy(cfg)
    where = rng.choice(list(keys_of(cfg)))
    node: Any = cfg
    for key in where[:-1]:
        if isinstance(node[key], tuple):
            node[key] = list(node[key])
        node = node[key]
    key = where[-1]
    action = rng.choice(['delete', 'rename', 'retype', 'retype'])
    if action == 'rename' and isinstance(node, dict):
        new = misspelt(key, rng)
        node[new] = node.pop(key)
        return cfg, f'rename {key} to {new}', where
    if action == 'delete':
        del node[key]
        return cfg, 'delete', where
    value = rng.choice([other for other in OTHERS if type(other) is not type(node[key])])
    node[key] = copy.deepcopy(value)
    return cfg, f'set to {value!r}', where


def run(cfg: dict[str, Any], folder: Path) -> None:
    """What ``tools/train.py`` does with the config."""
    path = folder / f'mutant{next(NUMBERS)}.py'  # the Runner's name must be a new one
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in cfg.items() if key.isidentifier()))
    with exit_on_user_error():
        loaded = load_config(path, purpose='train')
        loaded.work_dir = str(folder / 'work')
        build_runner(loaded).train()


def complaint(cfg: dict[str, Any], what: str, where: Keys, folder: Path, capsys: pytest.CaptureFixture) -> str | None:
    """Why this mutant is not treated as a user would wish; None where it is."""
    code: Any = 0
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail('it hangs'))
    signal.alarm(SECONDS)
    try:
        run(cfg, folder)
    except SystemExit as caught:
        code = caught.code
    except BaseException as error:
        return f'{type(error).__name__} got through: {error}'
    finally:
        signal.alarm(0)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(('error: ', 'Traceback'))]
    if code == 0:
        return 'a misspelt key is passed over in silence' if what.startswith('rename') else None
    if code not in (1, 2) or not lines or lines[0].startswith('Traceback'):
        return f'exit code {code}, first line {lines[:1]}'
    if not any(str(name) in lines[0] for name in ('mutant', *where) if isinstance(name, str)):
        return f'neither the file nor the key is named: {lines[0]}'
    return None


@pytest.mark.slow
def test_mutants_are_explained_or_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rng, base = random.Random(SEED), working()
    run(copy.deepcopy(base), tmp_path)  # the config itself works
    wrong = []
    for _ in range(COUNT):
        cfg, what, where = mutated(base, rng)
        problem = complaint(cfg, what, where, tmp_path, capsys)
        if problem:
            wrong.append(f'{".".join(map(str, where))}: {what}: {problem}')
    assert not wrong, f'{len(wrong)} of {COUNT}:\n' + '\n'.join(wrong)
