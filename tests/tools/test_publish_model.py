"""What is published loads wherever weights are taken, and says where it comes from."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from mtlbox.engine.checkpoint import read_checkpoint, weights_of, write_checkpoint
from mtlbox.engine.pretrained import PretrainedInit

ROOT = Path(__file__).parents[2]
RESULT = {
    'config': 'configs/mtl/net.py',
    'config_hash': 'abc123abc123',
    'commit': 'deadbeef',
    'seed': 7,
    'device': 'CPU, 1 threads',
    'world_size': 1,
    'versions': {'torch': '2.1'},
    'protocols': {'depth': 'pixel-pooled'},
    'scores': {'depth/rmse': 0.51234, 'delta_m': None},
    'val': {'epoch': 2, 'iter': 40, 'scores': {'depth/rmse': 0.6}},
    'best': {'epoch': 1, 'iter': 20, 'scores': {'depth/rmse': 0.51234}},
}


def publish() -> ModuleType:
    spec = importlib.util.spec_from_file_location('publish_model', ROOT / 'tools/publish_model.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A work directory with a checkpoint and its scores."""
    net = Net()
    averaged = {f'module.{key}': value + 1 for key, value in net.state_dict().items()}
    checkpoint = {
        'state_dict': net.state_dict(),
        'ema_state_dict': {'steps': torch.tensor(3), **averaged},
        'optimizer': {'state': {0: torch.zeros(100_000)}},
        'meta': {'epoch': 2, 'iter': 40, 'cfg': 'model = 1\n', 'seed': 7, 'time': 'now'},
    }
    write_checkpoint(checkpoint, tmp_path / 'net_run' / 'epoch_2.pth')
    (tmp_path / 'net_run' / 'result.json').write_text(json.dumps(RESULT))
    return tmp_path / 'net_run'


@pytest.mark.parametrize('ema', [False, True])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_weights_only_with_hash(run: Path, tmp_path: Path, ema: bool, suffix: str) -> None:
    if suffix == '.safetensors':
        pytest.importorskip('safetensors')
    publish().main([str(run / 'epoch_2.pth'), '--out', str(tmp_path / 'out'), *(['--ema'] if ema else [])])
    path = next((tmp_path / 'out').glob(f'*{suffix}'))
    assert path.name == f'net_run-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}{suffix}'
    assert path.stat().st_size < 10_000
    expected = weights_of(read_checkpoint(run / 'epoch_2.pth'), ema=ema)
    weights = weights_of(read_checkpoint(path))
    assert weights.keys() == expected.keys() and all(weights[key].equal(expected[key]) for key in expected)
    net = Net()
    PretrainedInit(str(path), prefix='backbone')(net.backbone)
    assert net.backbone.weight.equal(expected['backbone.weight'])


def test_card(run: Path, tmp_path: Path) -> None:
    publish().main([str(run / 'epoch_2.pth'), '--out', str(tmp_path / 'out'), '--name', 'net'])
    path = next((tmp_path / 'out').glob('net-*.pth'))
    card = (tmp_path / 'out' / 'net.md').read_text()
    for words in (
        f'| `{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |',
        '16 numbers in 2 tensors, after epoch 2, iteration 40.',
        '| depth/rmse | 0.5123 | pixel-pooled |',
        '| delta_m | none |  |',
        'hash abc123abc123), commit deadbeef, seed 7',
        'These scores are of iteration 20, not of the weights published here.',
        f'tools/test.py config.py {path.name}',
        '```python\nmodel = 1\n```',
    ):
        assert words in card, words
    assert 'time' not in read_checkpoint(path)['meta']


def test_without_scores(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (run / 'result.json').unlink()
    publish().main([str(run / 'epoch_2.pth'), '--out', str(tmp_path / 'out')])
    assert 'None are known' in (tmp_path / 'out' / 'net_run.md').read_text()
    with pytest.raises(SystemExit):
        publish().main([str(run / 'epoch_2.pth'), '--out', str(tmp_path), '--result', str(run / 'result.json')])
    assert 'There is no ' in capsys.readouterr().err
