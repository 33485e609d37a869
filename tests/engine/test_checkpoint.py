import errno
import os
import pickle
import random
import resource
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from torch import nn

from mtlbox.engine.checkpoint import (
    CheckpointError,
    check_writable,
    load_weights,
    read_checkpoint,
    replace_file,
    weights_of,
    write_checkpoint,
    write_pointer,
)


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class Builtin(Payload):
    def __reduce__(self):
        return eval, (f'__import__("os").system({self.command!r})',)


class Getattr(Payload):
    """Reaches for a method through what has a stand-in."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, 'mean')


def make_model(width=4, extra=False):
    model = nn.Sequential(OrderedDict(stem=nn.Conv2d(3, width, 1), head=nn.Linear(width, 2)))
    if extra:
        model.add_module('neck', nn.Linear(2, 2))
    return model


def save(checkpoint, path, **settings):
    torch.save(checkpoint, path, **settings)
    return path


needs_stand_ins = pytest.mark.skipif(
    not hasattr(torch.serialization, 'safe_globals'), reason='stand-ins need torch 2.5'
)


class TestRead:
    def test_plain(self, tmp_path):
        checkpoint = {'state_dict': make_model().state_dict(), 'meta': {'epoch': 3, 'cfg': 'model = 1', 'seed': None}}
        read = read_checkpoint(save(checkpoint, tmp_path / 'a.pth'))
        assert read['meta'] == checkpoint['meta']
        assert all(read['state_dict'][key].equal(value) for key, value in checkpoint['state_dict'].items())

    @pytest.mark.parametrize('kind', [Payload, Builtin])
    @pytest.mark.parametrize('zipped', [True, False])
    def test_hostile_pickle_is_refused_and_not_executed(self, tmp_path, kind, zipped):
        witness = tmp_path / 'executed'
        checkpoint = {'state_dict': make_model().state_dict(), 'meta': kind(f'touch {witness}')}
        path = save(checkpoint, tmp_path / 'evil.pth', _use_new_zipfile_serialization=zipped)
        with pytest.raises(CheckpointError, match=r'evil\.pth is refused: it holds more than .*(posix\.system|eval)'):
            read_checkpoint(path)
        assert not witness.exists()
        torch.load(path, weights_only=False)
        assert witness.exists(), 'the payload works where it is let'

    def test_plain_pickle_is_refused_and_not_executed(self, tmp_path):
        witness, path = tmp_path / 'executed', tmp_path / 'evil.pth'
        path.write_bytes(pickle.dumps({'state_dict': Payload(f'touch {witness}')}))
        with pytest.raises(CheckpointError, match=r'evil\.pth'):
            read_checkpoint(path)
        assert not witness.exists()

    @needs_stand_ins
    def test_stand_ins_reach_nothing(self, tmp_path):
        read = read_checkpoint(save({'x': Getattr('')}, tmp_path / 'a.pth'))['x']
        assert not callable(read) and type(read).__base__.__module__ == 'mtlbox.engine.checkpoint'

    def test_truncated(self, tmp_path):
        path = save({'state_dict': make_model(64).state_dict()}, tmp_path / 'cut.pth')
        whole = path.read_bytes()
        for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(CheckpointError, match=r'cut\.pth is (damaged|refused)'):
                read_checkpoint(path)

    @pytest.mark.filterwarnings('ignore:Detected pickle protocol')
    def test_damaged_bytes_end_in_one_kind_of_error(self, tmp_path):
        path = save({'state_dict': make_model().state_dict()}, tmp_path / 'l.pth', _use_new_zipfile_serialization=False)
        whole, rng, refused = path.read_bytes(), random.Random(0), 0
        for _ in range(150):
            damaged = bytearray(whole)
            for _ in range(3):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            path.write_bytes(bytes(damaged))
            try:
                read_checkpoint(path)
            except CheckpointError:
                refused += 1
        assert refused > 30

    @pytest.mark.parametrize(
        ('content', 'complaint'),
        [(b'', r'it is empty \(0 bytes\)'), (bytes(9999), 'it begins with zeros'), (b'PK\x03\x04' + b'x' * 99, '')],
    )
    def test_what_torch_would_advise_is_not_passed_on(self, tmp_path, content, complaint):
        path = tmp_path / 'a.pth'
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=complaint) as caught:
            read_checkpoint(path)
        assert 'weights_only' not in str(caught.value) and 'arbitrary' not in str(caught.value)

    def test_a_folder(self, tmp_path):
        (tmp_path / 'epoch_4.pth').mkdir()
        with pytest.raises(FileNotFoundError, match=r'epoch_4\.pth, which is a folder\.$'):
            read_checkpoint(tmp_path / 'epoch_4.pth')

    def test_a_text_file(self, tmp_path):
        path = tmp_path / 'notes.pth'
        path.write_text('<html>404: not found</html>\n' * 20)
        with pytest.raises(CheckpointError, match=r'notes\.pth'):
            read_checkpoint(path)

    def test_no_dict(self, tmp_path):
        with pytest.raises(CheckpointError, match='holds a list, but a checkpoint is a dict'):
            read_checkpoint(save([1, 2], tmp_path / 'a.pth'))

    def test_missing_names_what_is_near(self, tmp_path):
        save({}, tmp_path / 'epoch_12.pth')
        with pytest.raises(
            FileNotFoundError, match=r'There is no checkpoint .*epoch_21\.pth\. Did you mean .*epoch_12\.pth'
        ):
            read_checkpoint(tmp_path / 'epoch_21.pth')
        with pytest.raises(FileNotFoundError, match='There is no checkpoint'):
            read_checkpoint(tmp_path / 'nowhere' / 'a.pth')

    @needs_stand_ins
    def test_mmengines_history_is_replaced_by_stand_ins(self, tmp_path):
        hub = MessageHub.get_instance('checkpoint-test')
        for step in range(5):
            hub.update_scalar('train/loss', 1.0 / (step + 1))
        hub.update_info('iter', 5)
        state = make_model().state_dict()
        checkpoint = {
            'state_dict': state,
            'message_hub': hub.state_dict(),
            'history': HistoryBuffer([1.0, 2.0], [1, 1]),
            'score': np.float64(0.5),
            'meta': {'epoch': 5},
        }
        path = save(checkpoint, tmp_path / 'mmengine.pth')
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)
        read = read_checkpoint(path)
        assert read['meta'] == {'epoch': 5}
        assert all(read['state_dict'][key].equal(value) for key, value in state.items())
        assert not isinstance(read['history'], HistoryBuffer)

    @needs_stand_ins
    def test_stand_ins_are_taken_back(self, tmp_path):
        path = save({'history': HistoryBuffer([1.0], [1])}, tmp_path / 'mmengine.pth')
        read_checkpoint(path)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)

    def test_older_torch_says_what_to_do(self, tmp_path, monkeypatch):
        path = save({'history': HistoryBuffer([1.0], [1])}, tmp_path / 'zoo.pth')
        monkeypatch.delattr(torch.serialization, 'safe_globals', raising=False)
        with pytest.raises(CheckpointError, match=r"zoo\.pth holds mmengine's .* use torch 2\.5 or newer"):
            read_checkpoint(path)

    def test_a_flipped_bit_in_ours_is_found(self, tmp_path):
        path = tmp_path / 'ours.pth'
        write_checkpoint({'state_dict': {'w': torch.arange(10000.0)}}, path)
        content = bytearray(path.read_bytes())
        content[content.index(torch.arange(100.0).numpy().tobytes()) + 50] ^= 1
        path.write_bytes(bytes(content))
        assert not torch.load(path, weights_only=True)['state_dict']['w'].equal(torch.arange(10000.0))
        with pytest.raises(CheckpointError, match=r'ours\.pth is damaged: the checksum of .* is wrong'):
            read_checkpoint(path)

    def test_safetensors(self, tmp_path):
        safetensors = pytest.importorskip('safetensors.torch')
        state = make_model().state_dict()
        safetensors.save_file(state, tmp_path / 'a.safetensors')
        weights = weights_of(read_checkpoint(tmp_path / 'a.safetensors'))
        assert weights.keys() == state.keys() and all(weights[key].equal(state[key]) for key in state)


@contextmanager
def small_disk(size):
    """No file may become larger than ``size`` bytes: a write beyond it fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestWrite:
    def test_writes_whole_and_marks_as_ours(self, tmp_path):
        path = tmp_path / 'new' / 'a.pth'
        write_checkpoint({'state_dict': {'w': torch.ones(3)}}, path)
        assert read_checkpoint(path)['meta'].keys() == {'mtlbox_version'}
        assert [p.name for p in path.parent.iterdir()] == ['a.pth']

    def test_failing_disk_leaves_the_old_file(self, tmp_path):
        path = tmp_path / 'a.pth'
        write_checkpoint({'state_dict': {'w': torch.zeros(3)}}, path)
        before = path.read_bytes()
        with small_disk(200_000), pytest.raises(OSError, match=r'a\.pth cannot be written: .* untouched') as caught:
            write_checkpoint({'state_dict': {'w': torch.zeros(300_000)}}, path)
        assert caught.value.errno == errno.EFBIG
        assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ['a.pth']

    @pytest.mark.parametrize('step', ['write', 'fsync', 'replace'])
    def test_full_disk_at_each_step(self, tmp_path, monkeypatch, step):
        path = tmp_path / 'a.pth'
        path.write_bytes(b'old')

        def full(*args):
            raise OSError(errno.ENOSPC, 'No space left on device')

        if step != 'write':
            monkeypatch.setattr(os, step, full)
        with pytest.raises(OSError, match=r'a\.pth cannot be written: No space left on device'):
            replace_file(path, full if step == 'write' else lambda temporary: temporary.write_bytes(b'new'))
        assert path.read_bytes() == b'old' and [p.name for p in tmp_path.iterdir()] == ['a.pth']

    def test_order_of_steps(self, tmp_path, monkeypatch):
        steps = []
        for name in ('fsync', 'replace'):
            real = getattr(os, name)
            monkeypatch.setattr(os, name, lambda *args, name=name, real=real: (steps.append(name), real(*args))[1])
        write_pointer(tmp_path, '/x/epoch_1.pth')
        assert steps == ['fsync', 'replace', 'fsync']
        assert (tmp_path / 'last_checkpoint').read_text() == '/x/epoch_1.pth'

    def test_a_mistake_of_the_writer_is_not_called_a_full_disk(self, tmp_path):
        def wrong(temporary):
            raise RuntimeError('no such tensor')

        with pytest.raises(RuntimeError, match='no such tensor'):
            replace_file(tmp_path / 'a.pth', wrong)

    def test_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(OSError, match=r'The folder .*file/run cannot be written into: Not a directory'):
            check_writable(tmp_path / 'file' / 'run')
        check_writable(tmp_path / 'run')
        assert list((tmp_path / 'run').iterdir()) == []


class TestWeightsOf:
    def test_with_and_without_wrapping(self):
        state = make_model().state_dict()
        wrapped = {f'module.{key}': value for key, value in state.items()}
        for checkpoint in ({'state_dict': state}, state, {'state_dict': wrapped}):
            assert list(weights_of(checkpoint)) == list(state)

    def test_averaged(self):
        averaged = {f'module.{key}': value + 1 for key, value in make_model().state_dict().items()}
        checkpoint = {'state_dict': make_model().state_dict(), 'ema_state_dict': {'steps': torch.tensor(3), **averaged}}
        weights = weights_of(checkpoint, ema=True)
        assert list(weights) == list(make_model().state_dict())
        assert weights['stem.bias'] is averaged['module.stem.bias']

    @pytest.mark.parametrize(
        ('checkpoint', 'complaint'),
        [
            ({'state_dict': 5}, r"a\.pth: 'state_dict' holds no weights, but a int"),
            ({'state_dict': None}, r"a\.pth: 'state_dict' holds no weights, but a NoneType"),
            ({'state_dict': {'a': 'x'}}, r"'a' is a str, not a tensor"),
            ({'state_dict': {3: torch.ones(1)}}, 'its keys are not names, but 3'),
            ({}, r'a\.pth holds no weights: it is empty'),
        ],
    )
    def test_what_holds_no_weights(self, checkpoint, complaint):
        with pytest.raises(CheckpointError, match=complaint):
            weights_of(checkpoint, source='a.pth')

    def test_no_averaged_ones(self):
        with pytest.raises(CheckpointError, match=r"no averaged weights; .*custom_hooks = \[dict\(type='EMAHook'\)\]"):
            weights_of({'state_dict': {}}, ema=True)


class TestLoadWeights:
    def test_loads(self):
        source, target = make_model(), make_model()
        load_weights(target, source.state_dict(), 'a.pth')
        assert all(value.equal(source.state_dict()[key]) for key, value in target.state_dict().items())

    def test_missing_keys(self):
        with pytest.raises(CheckpointError) as error:
            load_weights(make_model(extra=True), make_model().state_dict(), 'a.pth')
        message = str(error.value)
        assert message.startswith('a.pth is the checkpoint of another architecture: ')
        assert '2 weights of the model are not in it (neck.weight, neck.bias)' in message
        assert 'Give the config that it was trained with' in message

    def test_unexpected_keys(self):
        with pytest.raises(
            CheckpointError, match=r'2 of its weights are not in the model \(neck\.weight, neck\.bias\)'
        ):
            load_weights(make_model(), make_model(extra=True).state_dict(), 'a.pth')

    def test_many_keys_are_cut_short(self):
        with pytest.raises(
            CheckpointError,
            match=r'4 weights of the model are not in it \(stem\.weight, stem\.bias, head\.weight, \.\.\.\)',
        ):
            load_weights(make_model(), {}, 'a.pth')

    def test_other_shapes(self):
        with pytest.raises(
            CheckpointError, match=r'it does not fit: size mismatch for stem\.weight.*\[8, 3, 1, 1\].*\[4, 3, 1, 1\]'
        ):
            load_weights(make_model(4), make_model(8).state_dict(), 'a.pth')

    def test_a_checkpoint_of_something_else(self):
        with pytest.raises(CheckpointError, match=r"a\.pth holds no weights: 'epoch' is a int, not a tensor"):
            weights_of({'epoch': 3, 'best': 0.5}, source='a.pth')
