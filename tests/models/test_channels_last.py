"""``channels_last``: another order in memory, not another function, whatever is done to the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mtlbox.config import ConfigError, load_config
from mtlbox.registry import DATASETS, MODELS

ROOT = Path(__file__).parents[2]


def is_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


def laid_out(module: nn.Module) -> bool:
    """Whether all weights of four axes are NHWC and some of them could not be mistaken for NCHW."""
    weights = [x for x in module.parameters() if x.dim() == 4]
    return all(map(is_last, weights)) and any(not x.is_contiguous() for x in weights)


def build(kind: str = 'mtl', *, channels_last: bool = True, **backbone: Any) -> Any:
    """Build a model of rooms with a tiny network."""
    torch.manual_seed(0)
    arch = {f'stage{i}': dict(num_modules=1, block='BASIC', num_blocks=(1,) * i) for i in range(1, 5)}
    for i, stage in enumerate(arch.values(), start=1):
        stage['num_channels'] = tuple(4 * 2**j for j in range(i))
    cfg = load_config(ROOT / f'configs/{kind}/{kind}_hrnet18_rooms.py')
    cfg.model.channels_last = channels_last
    cfg.model.backbone.update(arch=arch, **backbone)
    cfg.model.heads.in_channels = 60
    cfg.model.data_preprocessor.channels_last = False
    return MODELS.build(cfg.model)


def batch_of(model: Any) -> dict[str, Any]:
    pipeline = [dict(type='PackMultiTaskInputs')]
    rooms = DATASETS.build(dict(type='RoomsDataset', length=2, size=(32, 64), tasks=model.tasks, pipeline=pipeline))
    return pseudo_collate([rooms[i] for i in range(2)])


def freeze_statistics(model: nn.Module) -> None:
    """Let batch norm read no statistics of the batch: those of few pixels magnify rounding."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def losses_and_gradients(model: Any, batch: dict[str, Any]) -> tuple[dict, dict]:
    total, logs = model.parse_losses(model(**batch, mode='loss'))
    total.backward()
    return logs, {name: x.grad for name, x in model.named_parameters() if x.requires_grad}


def assert_near(gradients: dict[str, Tensor], expected: dict[str, Tensor], tolerance: float) -> None:
    whole = torch.stack([x.norm() for x in expected.values()]).norm()
    for name, gradient in expected.items():  # a bias before batch norm has no gradient but rounding
        error = (gradients[name] - gradient).norm() / gradient.norm().clamp(min=1e-3 * whole)
        assert error < tolerance, f'{name}: {error}'


def test_every_method_gives_the_same(make_small: Callable[..., tuple[nn.Module, dict[str, Any]]]) -> None:
    results = []
    for value in (False, True):
        model, batch = make_small(2, {'channels_last': value, 'model.data_preprocessor.channels_last': False})
        assert laid_out(model) is value and not is_last(batch['inputs'])
        freeze_statistics(model)
        results.append(losses_and_gradients(model, batch))
    (losses, gradients), (others, other_gradients) = results
    assert len(gradients) > 50 and losses.keys() == others.keys()
    torch.testing.assert_close(others, losses, rtol=1e-4, atol=1e-4)
    assert_near(other_gradients, gradients, 1e-3)


@pytest.mark.parametrize('kind', ['mtl', 'stl'])
def test_the_layout_stays(kind: str, tmp_path: Path) -> None:
    plain = build(kind, channels_last=False)
    part = (plain if kind == 'mtl' else plain.networks['depth']).backbone
    torch.save(part.state_dict(), tmp_path / 'backbone.pth')
    weights = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'backbone.pth')}
    model = build(kind, init_cfg=weights)
    for parameter in model.parameters():
        parameter.data.zero_()
    model.init_weights()
    name = 'backbone.layer1.0.conv1.weight' if kind == 'mtl' else 'networks.depth.backbone.layer1.0.conv1.weight'
    assert model.state_dict()[name].equal(plain.state_dict()[name]) and laid_out(model)
    model.load_state_dict(plain.state_dict())
    assert laid_out(model)
    model = model.to(torch.float64).to(torch.float32).to('cpu')
    average = ExponentialMovingAverage(model)
    optimizer = torch.optim.AdamW(model.parameters())
    model.train_step(batch_of(model), OptimWrapper(optimizer))
    average.update_parameters(model)
    assert laid_out(model) and laid_out(average.module)
    assert all(is_last(optimizer.state[x]['exp_avg']) for x in model.parameters() if x.dim() == 4)
    for key, value in model.state_dict().items():
        assert key.startswith('weighting') or not value.is_floating_point() or not value.equal(plain.state_dict()[key])
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    again = build(kind, channels_last=False)
    again.load_state_dict(torch.load(tmp_path / 'model.pth', weights_only=True))
    assert not laid_out(again) and all(x.is_contiguous() for x in again.parameters())


def test_a_seed_draws_the_same_weights() -> None:
    states = []
    for channels_last in (False, True):
        model = build(channels_last=channels_last)
        before = model.state_dict()['backbone.conv2.weight'].clone()
        torch.manual_seed(1)
        model.init_weights()
        assert laid_out(model) is channels_last
        states.append(model.state_dict())
    assert not states[0]['backbone.conv2.weight'].equal(before)
    for key, value in states[0].items():
        assert value.equal(states[1][key]), key


def test_convolutions_are_fed_with_it() -> None:
    model, seen = build(), []
    model.backbone.conv2.register_forward_pre_hook(lambda module, inputs: seen.append(is_last(inputs[0])))
    batch = batch_of(model)
    images = model.data_preprocessor(batch, training=True)['inputs']
    assert not is_last(images)
    model.train_step(batch, OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))
    model.eval()
    model.test_step(batch)
    model(images)
    assert seen == [True] * 3


def test_recomputed_and_in_half_precision() -> None:
    plain, last, recomputed = build(channels_last=False), build(), build(with_cp=True)
    batch = plain.data_preprocessor(batch_of(plain), training=True)
    for model in (plain, last, recomputed):
        freeze_statistics(model)
    losses, gradients = losses_and_gradients(plain, batch)
    others, other_gradients = losses_and_gradients(recomputed, batch)
    torch.testing.assert_close(others, losses, rtol=1e-4, atol=1e-4)
    assert_near(other_gradients, gradients, 1e-3)
    with torch.autocast('cpu', torch.bfloat16):
        half, half_plain = last(batch['inputs']), plain(batch['inputs'])
    for key, logits in half_plain.items():
        assert (half[key] - logits).norm() < 0.05 * logits.norm(), key


@pytest.mark.parametrize('value', ['nhwc', None, 2])
def test_other_values_are_refused_with_the_config(value: object) -> None:
    with pytest.raises(ConfigError, match=rf'rooms\.py: channels_last must be True or False, but is {value!r}'):
        load_config(ROOT / 'configs/stl/stl_hrnet18_rooms.py', {'channels_last': value})
