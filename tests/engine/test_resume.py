"""A run that was cut off anywhere and resumed ends like one that was not."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook

from mtlbox.config import load_config
from mtlbox.datasets import RoomsDataset
from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import CheckpointError, read_checkpoint
from mtlbox.engine.hooks import checkpoint_hook
from mtlbox.engine.resume import candidates, find_checkpoint
from mtlbox.engine.runner import MTLRunner

LOOPS = ['epoch', 'epoch-iter', 'iter']
_NUMBERS = itertools.count()


class Cut(BaseException):
    """Ends a training as a kill would: nothing on the way catches it."""


class CutAt(Hook):
    """Cuts the run off before training iteration ``at``, or in a validation from there on."""

    priority = 'LOWEST'

    def __init__(self, at: int, place: str = 'before_train_iter') -> None:
        self.at, self.place = at, place

    def _cut(self, runner: Any, place: str) -> None:
        if place == self.place and runner.iter >= self.at:
            raise Cut

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self._cut(runner, 'before_train_iter')

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self._cut(runner, 'before_val_iter')

    def after_train_epoch(self, runner: Any) -> None:
        self._cut(runner, 'after_train_epoch')


def make(config: Path, work_dir: Path, *, resume: bool = False, workers: int = 0) -> MTLRunner:
    cfg = load_config(config)
    cfg.work_dir, cfg.resume = str(work_dir), resume
    cfg.experiment_name = f'test-{next(_NUMBERS)}'
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = workers, workers > 0
    return build_runner(cfg)


def cut_off(config: Path, work_dir: Path, hook: Hook, *, resume: bool = False, workers: int = 0) -> None:
    runner = make(config, work_dir, resume=resume, workers=workers)
    runner.register_hook(hook)
    with pytest.raises(Cut):
        runner.train()


@pytest.fixture(scope='module')
def undisturbed(campaign: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Return (config, work directory) of a finished run with a loop; each is trained once."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp('undisturbed')

    def get(loop: str) -> tuple[Path, Path]:
        config, work_dir = campaign.write_config(folder, loop), folder / loop
        if not work_dir.exists():
            make(config, work_dir).train()
        return config, work_dir

    return get


@pytest.mark.slow
@pytest.mark.parametrize('loop', LOOPS)
def test_cut_off_twice(campaign: ModuleType, undisturbed: Callable, tmp_path: Path, loop: str) -> None:
    config, expected = undisturbed(loop)
    cut_off(config, tmp_path / 'run', CutAt(14), workers=1)
    cut_off(config, tmp_path / 'run', CutAt(30), resume=True)
    make(config, tmp_path / 'run', resume=True).train()
    assert campaign.differences(expected, tmp_path / 'run') == []


@pytest.mark.slow
@pytest.mark.parametrize(('loop', 'place'), [('epoch', 'before_val_iter'), ('epoch-iter', 'after_train_epoch')])
def test_cut_off_around_a_validation(
    campaign: ModuleType, undisturbed: Callable, tmp_path: Path, loop: str, place: str
) -> None:
    config, expected = undisturbed(loop)
    cut_off(config, tmp_path / 'run', CutAt(24, place))
    make(config, tmp_path / 'run', resume=True).train()
    assert campaign.differences(expected, tmp_path / 'run') == []


@pytest.mark.slow
@pytest.mark.parametrize('step', ['write', 'pointer', 'prune'])
def test_cut_off_between_the_steps_of_saving(
    campaign: ModuleType, undisturbed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    config, expected = undisturbed('epoch-iter')
    saves = itertools.count(1)
    owner, name = {
        'write': (MTLRunner, 'save_checkpoint'),
        'pointer': (checkpoint_hook, 'write_pointer'),
        'prune': (checkpoint_hook.CheckpointHook, '_prune'),
    }[step]
    real = getattr(owner, name)

    def cut(*args: Any, **kwargs: Any) -> None:
        if next(saves) == 4:
            raise Cut
        real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cut)
        with pytest.raises(Cut):
            make(config, tmp_path / 'run').train()
    before = find_checkpoint(tmp_path / 'run', print)
    assert before is not None and 'optimizer' in read_checkpoint(before)
    make(config, tmp_path / 'run', resume=True).train()
    assert campaign.differences(expected, tmp_path / 'run') == []
    assert sorted(p.name for p in (tmp_path / 'run').glob('*.pth*')) == sorted(
        p.name for p in expected.glob('*.pth*')
    ), 'something was left over'


@pytest.mark.slow
def test_what_was_trained_on_is_not_read_again(
    undisturbed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = undisturbed('iter')
    cut_off(config, tmp_path / 'run', CutAt(42))
    read: list[str] = []
    real = RoomsDataset.load_image

    def load_image(self: RoomsDataset, info: dict) -> Any:
        read.append(info['sample_id'])
        return real(self, info)

    monkeypatch.setattr(RoomsDataset, 'load_image', load_image)
    runner = make(config, tmp_path / 'run', resume=True)
    runner.train()
    done = 40  # the last checkpoint before the cut: every fourth iteration, on a boundary of five
    assert sum(name.startswith('train') for name in read) == (46 - done) * 2


@pytest.mark.slow
def test_falls_back_to_the_checkpoint_before(
    campaign: ModuleType, undisturbed: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, expected = undisturbed('epoch-iter')
    work_dir = tmp_path / 'run'
    cut_off(config, work_dir, CutAt(33))
    last = Path((work_dir / 'last_checkpoint').read_text())
    last.write_bytes(last.read_bytes()[:-1000])
    runner = make(config, work_dir, resume=True)
    runner.train()
    log = next(path for path in work_dir.glob('*/*.log') if 'is damaged' in path.read_text()).read_text()
    assert f'{last} is damaged' in log and 'the checkpoint before it is tried' in log
    assert campaign.differences(expected, work_dir) == []


@pytest.mark.slow
def test_the_earlier_best_is_not_forgotten(undisturbed: Callable, tmp_path: Path) -> None:
    config, _ = undisturbed('epoch')
    work_dir = tmp_path / 'run'
    cut_off(config, work_dir, CutAt(26))
    runner = make(config, work_dir, resume=True)
    result = next(hook for hook in runner.hooks if type(hook).__name__ == 'ResultHook')
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.call_hook('before_run')
    runner.load_or_resume()
    kept = read_checkpoint((work_dir / 'last_checkpoint').read_text())['result']['best']
    assert result._result['best'] == kept and kept['by'] == 'depth/rmse'


@pytest.mark.slow
def test_nothing_to_resume(undisturbed: Callable, tmp_path: Path) -> None:
    config, _ = undisturbed('epoch')
    cut_off(config, tmp_path / 'run', CutAt(0), resume=True)
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert f'There is no checkpoint in {tmp_path / "run"} to resume from: the run starts afresh.' in log


@pytest.mark.slow
def test_weights_alone_cannot_be_resumed(undisturbed: Callable, tmp_path: Path) -> None:
    config, expected = undisturbed('epoch')
    runner = make(config, tmp_path / 'run', resume=True)
    runner._load_from = str(next(expected.glob('best_*.pth')))
    with pytest.raises(CheckpointError, match='holds weights, but not the state of a training'):
        runner.train()


@pytest.mark.slow
def test_a_fresh_run_does_not_go_on_from_a_former_one(undisturbed: Callable, tmp_path: Path) -> None:
    config, expected = undisturbed('epoch')
    work_dir = tmp_path / 'run'
    shutil.copytree(expected, work_dir)
    (work_dir / 'mine.pth').write_bytes(b'not of a run')
    former = sorted(path.name for path in expected.glob('*.pth'))
    cut_off(config, work_dir, CutAt(3))
    (aside,) = work_dir.glob('before_*')
    assert sorted(path.name for path in aside.glob('*')) == sorted([*former, 'last_checkpoint', 'result.json'])
    assert [path.name for path in work_dir.glob('*.pth')] == ['mine.pth']
    (work_dir / 'mine.pth').unlink()
    assert find_checkpoint(work_dir, print) is None
    cut_off(config, work_dir, CutAt(20))
    assert list(work_dir.glob('before_*')) == [aside]
    cut_off(config, work_dir, CutAt(22), resume=True)
    assert list(work_dir.glob('before_*')) == [aside] and list(work_dir.glob('epoch_*.pth'))


@pytest.mark.slow
def test_another_optimizer_is_refused_and_other_settings_are_told(
    undisturbed: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config, expected = undisturbed('epoch')
    changed = tmp_path / 'changed.py'
    changed.write_text(f'_base_ = {str(config)!r}\noptim_wrapper = dict(optimizer=dict(lr=0.125))\n')
    work_dir = tmp_path / 'lr'
    shutil.copytree(expected, work_dir)
    make(changed, work_dir, resume=True).train()
    log = max(work_dir.glob('*/*.log')).read_text()
    assert re.search(r'optim_wrapper\.optimizer\.lr is that of the checkpoint, [\d.e-]+, not the 0\.125', log)
    assert 'not divisible by' not in log
    other = tmp_path / 'other.py'
    kind = 'SGD' if 'Adam' in load_config(config).optim_wrapper.optimizer.type else 'Adam'
    other.write_text(
        f'_base_ = {str(config)!r}\noptim_wrapper = dict(optimizer=dict(_delete_=True, type={kind!r}, lr=0.1))\n'
    )
    with pytest.raises(CheckpointError, match=rf'state of another optimizer .* than optim_wrapper\.optimizer, {kind}'):
        make(other, work_dir, resume=True).train()


def whole(path: Path) -> Path:
    torch.save({'meta': {}, 'optimizer': {}, 'message_hub': {}, 'state_dict': {}}, path)
    return path


class TestFind:
    def test_the_named_one_comes_first_then_the_youngest(self, tmp_path: Path) -> None:
        for age, name in enumerate(['iter_3.pth', 'epoch_2.pth', 'epoch_1.pth', 'best_x_epoch_2.pth', 'ema.pth']):
            os.utime(whole(tmp_path / name), ns=(10**18 - age * 10**9,) * 2)
        (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
        assert [p.name for p in candidates(tmp_path)] == ['epoch_2.pth', 'iter_3.pth', 'epoch_1.pth']

    def test_work_dir_that_was_moved(self, tmp_path: Path) -> None:
        whole(tmp_path / 'epoch_2.pth')
        (tmp_path / 'last_checkpoint').write_text('/where/it/was/epoch_2.pth')
        assert find_checkpoint(tmp_path, print) == str(tmp_path / 'epoch_2.pth')

    def test_no_pointer(self, tmp_path: Path) -> None:
        assert find_checkpoint(tmp_path, print) is None
        whole(tmp_path / 'epoch_1.pth')
        assert find_checkpoint(tmp_path, print) == str(tmp_path / 'epoch_1.pth')

    def test_weights_alone_do_not_count(self, tmp_path: Path) -> None:
        torch.save({'state_dict': {}}, tmp_path / 'weights.pth')
        assert find_checkpoint(tmp_path, print) is None

    def test_weights_alone_are_passed_over_with_a_word(self, tmp_path: Path) -> None:
        whole(tmp_path / 'epoch_1.pth')
        torch.save({'state_dict': {}, 'meta': {}, 'optimizer': None, 'message_hub': {}}, tmp_path / 'epoch_2.pth')
        (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
        said: list[str] = []
        assert find_checkpoint(tmp_path, said.append) == str(tmp_path / 'epoch_1.pth')
        assert 'epoch_2.pth holds weights only' in said[0]

    @pytest.mark.parametrize('pointer', [b'', b'x\0y', b'\xff\xfe', b'x' * 5000, b'.'])
    def test_a_pointer_to_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pointer: bytes) -> None:
        elsewhere = tmp_path / 'elsewhere'
        elsewhere.mkdir()
        whole(elsewhere / 'epoch_9.pth')
        monkeypatch.chdir(elsewhere)
        work_dir = tmp_path / 'run'
        work_dir.mkdir()
        (work_dir / 'last_checkpoint').write_bytes(pointer)
        assert find_checkpoint(work_dir, print) is None
        whole(work_dir / 'epoch_1.pth')
        assert find_checkpoint(work_dir, print) == str(work_dir / 'epoch_1.pth')

    def test_a_copied_work_dir_takes_its_own(self, tmp_path: Path) -> None:
        original, copy = tmp_path / 'original', tmp_path / 'copy'
        original.mkdir()
        for name in ('epoch_1.pth', 'epoch_2.pth'):
            whole(original / name)
        (original / 'last_checkpoint').write_text(str(original / 'epoch_2.pth'))
        shutil.copytree(original, copy)
        assert [path.parent for path in candidates(copy)] == [copy, copy]

    def test_damage_to_a_name_is_found(self, tmp_path: Path) -> None:
        whole(tmp_path / 'epoch_1.pth')
        content = whole(tmp_path / 'epoch_2.pth').read_bytes()
        assert content.count(b'optimizer') == 1
        (tmp_path / 'epoch_2.pth').write_bytes(content.replace(b'optimizer', b'optimizes'))
        os.utime(tmp_path / 'epoch_1.pth', ns=(0, 0))
        said: list[str] = []
        assert find_checkpoint(tmp_path, said.append) == str(tmp_path / 'epoch_1.pth')
        assert 'epoch_2.pth is damaged' in said[0]

    def test_all_damaged(self, tmp_path: Path) -> None:
        for name in ('epoch_1.pth', 'epoch_2.pth'):
            (tmp_path / name).write_bytes(b'')
        with pytest.raises(CheckpointError, match=r'None of the checkpoints .* take another --work-dir'):
            find_checkpoint(tmp_path, print)
