"""What ends a training is said in one line, soon, and with the checkpoint to go on from."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from mtlbox.engine import failures
from mtlbox.engine.failures import explained


class Broken(Dataset):
    """Samples of which one does what its name says."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if index == 5 and self.kind == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 5 and self.kind == 'gone':
            raise FileNotFoundError('There is no file data/train/image/5.npy.')
        if index == 5 and self.kind == 'two lines':
            raise ValueError('label 5 holds 14:\nonly 0..12 are legal')
        return index


def read(folder: Path, kind: str, workers: int = 1) -> None:
    with explained(str(folder)):
        list(DataLoader(Broken(kind), num_workers=workers))


def test_killed_worker(tmp_path: Path) -> None:
    """In a process of its own: torch's handler raises wherever the main thread is, the test runner's code included."""
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('run/epoch_3.pth')
    code = (
        f'import runpy; runpy.run_path({__file__!r})["read"](__import__("pathlib").Path({str(tmp_path)!r}), "killed")'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    message = done.stderr.rstrip().splitlines()[-1]
    assert message.startswith('ChildProcessError: A data-loading process died')
    assert message.endswith(f'The last checkpoint is {tmp_path}/epoch_3.pth; go on from it with --resume.')


def test_killed_worker_of_which_torch_says_so_while_the_error_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, real = [], failures._worker_died

    def interrupted(error: Exception) -> bool:
        seen.append(error)
        if len(seen) == 1:
            raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
        return real(error)

    monkeypatch.setattr(failures, '_worker_died', interrupted)
    monkeypatch.setattr(signal, 'signal', lambda *args: seen.append(args))
    with pytest.raises(ChildProcessError, match=r'^A data-loading process died \(Killed\)'), explained(str(tmp_path)):
        raise ConnectionResetError('Connection reset by peer')
    assert seen[-1] == (signal.SIGCHLD, signal.SIG_DFL)


@pytest.mark.parametrize('workers', [0, 1])
def test_data_that_are_gone(tmp_path: Path, workers: int) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read(tmp_path, 'gone', workers)
    assert str(caught.value) == 'There is no file data/train/image/5.npy.'


def test_other_errors_of_workers_keep_their_kind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'^label 5 holds 14:\nonly 0\.\.12 are legal$'):
        read(tmp_path, 'two lines')


@pytest.mark.parametrize('number', [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EACCES])
def test_disk(tmp_path: Path, number: int) -> None:
    (tmp_path / 'epoch_3.pth').touch()
    (tmp_path / 'last_checkpoint').write_text('run/epoch_3.pth')
    with pytest.raises(OSError, match='/run/log') as caught, explained(str(tmp_path)):
        raise OSError(number, os.strerror(number), '/run/log')
    assert caught.value.errno == number
    advice = f'The last checkpoint is {tmp_path}/epoch_3.pth; go on from it with --resume.'
    assert str(caught.value).endswith(f'/run/log. {advice}')


def test_a_lost_rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[../gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:1: Connection reset by peer\nmore'
    with pytest.raises(RuntimeError, match='gloo'), explained(str(tmp_path)):
        raise RuntimeError(text)
    monkeypatch.setattr('mtlbox.engine.failures.distributed.is_initialized', lambda: True)
    said = r'^Another process of this run died or hangs; .*by peer\)$'
    with pytest.raises(ConnectionError, match=said), explained(str(tmp_path)):
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match='shape'), explained(str(tmp_path)):
        raise RuntimeError('shape mismatch')


def test_what_is_not_known_is_left_alone(tmp_path: Path) -> None:
    error = KeyError('x')
    with pytest.raises(KeyError) as caught, explained(str(tmp_path)):
        raise error
    assert caught.value is error
