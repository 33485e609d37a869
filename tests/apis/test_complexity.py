"""Complexity: counts against values worked out by hand, on ``meta`` and by running the model."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtlbox.apis.complexity import Complexity, count_complexity

B, N, C, HEADS = 1, 6, 8, 2
ATTENTION = 2 * N * N * C  # QKᵀ and its product with V, all heads together
PROJECTIONS = 4 * N * C * C  # to Q, K and V, and out


def count(model: nn.Module, *inputs: Tensor, **kwargs: Any) -> Complexity:
    """Count on ``meta`` and by running the model; both must agree."""
    on_meta = count_complexity(model, *inputs, **kwargs)
    run = count_complexity(model, *inputs, on_meta=False, **kwargs)
    assert (on_meta.device, run.device) == ('meta', 'cpu')
    assert {**on_meta.to_dict(), 'device': ''} == {**run.to_dict(), 'device': ''}
    return on_meta


@pytest.mark.parametrize(
    ('layer', 'shape', 'macs', 'activations'),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (1, 3, 10, 12), 5 * 6 * 8 * 3 * 9, 5 * 6 * 8),
        (nn.Conv2d(8, 12, 3, groups=4), (1, 8, 7, 7), 5 * 5 * 12 * 2 * 9, 5 * 5 * 12),
        (nn.Conv2d(8, 8, 5, padding=2, groups=8, bias=False), (1, 8, 4, 4), 16 * 8 * 25, 16 * 8),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), (1, 4, 9, 9), 81 * 4 * 4 * 9, 81 * 4),
        (nn.ConvTranspose2d(6, 4, 2, stride=2), (1, 6, 5, 5), 25 * 6 * 4 * 4, 100 * 4),
        (nn.Linear(5, 7), (3, 5), 3 * 5 * 7, 3 * 7),
        (nn.Linear(5, 7, bias=False), (2, 3, 5), 6 * 5 * 7, 6 * 7),
        (nn.Linear(5, 7), (5,), 5 * 7, 7),
    ],
)
def test_layers(layer: nn.Module, shape: tuple[int, ...], macs: int, activations: int) -> None:
    result = count(layer, torch.randn(shape))
    assert result.macs == result.macs_without_attention == macs
    assert result.activations == activations
    assert result.params == sum(p.numel() for p in layer.parameters())


class Attention(nn.Module):
    """Multi-head self-attention, its two products written in one of several ways."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.qkv = nn.Linear(C, 3 * C)
        self.out = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)  # each (B, heads, N, C / heads)
        if self.kind == 'matmul':
            y = (q @ k.transpose(-2, -1)).softmax(-1) @ v
        elif self.kind == 'einsum':
            y = torch.einsum('bhnm,bhmc->bhnc', torch.einsum('bhnc,bhmc->bhnm', q, k).softmax(-1), v)
        elif self.kind == 'function':
            y = Product.apply(Product.apply(q, k.transpose(-2, -1)).softmax(-1), v)
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(b, n, c))


class Product(torch.autograd.Function):
    """A matrix product that only the dispatcher can see."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None]:
        return None, None


@pytest.mark.parametrize('kind', ['matmul', 'einsum', 'sdpa', 'function'])
def test_attention_products_are_told_apart(kind: str) -> None:
    result = count(Attention(kind), torch.randn(B, N, C))
    assert result.macs_without_attention == PROJECTIONS
    assert result.macs == PROJECTIONS + ATTENTION
    assert result.activations == N * 3 * C + HEADS * N * N + N * C + N * C


@pytest.mark.parametrize(
    'model',
    [
        nn.MultiheadAttention(C, HEADS, batch_first=True),
        nn.TransformerEncoderLayer(C, HEADS, dim_feedforward=C, batch_first=True),
    ],
    ids=lambda model: type(model).__name__,
)
def test_fused_modules_of_torch_are_seen_into(model: nn.Module) -> None:
    attention = isinstance(model, nn.MultiheadAttention)
    result = count(model, *[torch.randn(B, N, C)] * (3 if attention else 1))
    assert result.macs_without_attention == PROJECTIONS + (0 if attention else 2 * N * C * C)
    assert result.macs - result.macs_without_attention == ATTENTION


class Weighted(nn.Module):
    """Products with a weight that reaches the product through ``prepare``."""

    def __init__(self, prepare: Any, *, buffer: bool = False) -> None:
        super().__init__()
        self.prepare = prepare
        weight = torch.randn(C, C)
        if buffer:
            self.register_buffer('weight', weight)
        else:
            self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.prepare(self.weight, x)


@pytest.mark.parametrize(
    ('prepare', 'attention'),
    [
        (lambda w, x: w, False),
        (lambda w, x: w.t()[:, :C].reshape(C, C), False),
        (lambda w, x: w.expand(3, C, C), False),
        (lambda w, x: torch.cat([w[:4], w[4:]]), False),
        (lambda w, x: torch.stack([w, w, w]), False),
        (lambda w, x: w.double().float().repeat(3, 1, 1), False),
        (lambda w, x: F.normalize(w, dim=0) * w.mean(), False),
        (lambda w, x: w.clone().mul_(2), False),
        (lambda w, x: w.new_zeros(C, C).copy_(w), False),
        (lambda w, x: w.clone().add_(x.mean()), True),
        (lambda w, x: w.new_zeros(C, C).copy_(x[0, :1]), True),
        (lambda w, x: w * x.mean(), True),
        (lambda w, x: torch.cat([w[:4], x[0, :4]]), True),
        (lambda w, x: x.transpose(-2, -1)[:, :, :1].expand(3, C, C), True),
    ],
)
def test_which_operands_are_weights(prepare: Any, attention: bool) -> None:
    result = count(Weighted(prepare), torch.randn(3, N, C))
    assert result.macs == 3 * N * C * C
    assert result.macs_without_attention == (0 if attention else result.macs)


def test_a_fixed_matrix_is_a_weight() -> None:
    result = count(Weighted(lambda w, x: w, buffer=True), torch.randn(3, N, C))
    assert (result.params, result.macs, result.macs_without_attention) == (0, 3 * N * C * C, 3 * N * C * C)


class Variants(nn.Module):
    """The same product under the names that PyTorch has for it; ``x`` is ``(N, C)``."""

    def __init__(self, product: Any) -> None:
        super().__init__()
        self.product = product
        self.weight = nn.Parameter(torch.randn(C, C))

    def forward(self, x: Tensor) -> Tensor:
        return self.product(x, self.weight) + self.product(x, x.mean() * self.weight)


@pytest.mark.parametrize(
    ('product', 'macs', 'values'),
    [
        (lambda x, w: torch.mm(x, w), N * C * C, N * C),
        (lambda x, w: torch.mm(x, w, out=x.new_empty(N, C)), N * C * C, N * C),
        (lambda x, w: torch.addmm(x, x, w), N * C * C, N * C),
        (lambda x, w: x.clone().addmm_(x, w, beta=0.5), N * C * C, N * C),
        (lambda x, w: torch.baddbmm(x[None], x[None], w[None]), N * C * C, N * C),
        (lambda x, w: x[None].clone().baddbmm_(x[None], w[None]), N * C * C, N * C),
        (lambda x, w: torch.addbmm(x, x.expand(2, N, C), w.expand(2, C, C)), 2 * N * C * C, N * C),
        (lambda x, w: torch.mv(x, w[0]), N * C, N),
        (lambda x, w: torch.addmv(x[:, 0], x, w[0]), N * C, N),
        (lambda x, w: x[:, 0].clone().addmv_(x, w[0]), N * C, N),
        (lambda x, w: torch.dot(x[0], w[0]), C, 1),
    ],
)
def test_all_matrix_products(product: Any, macs: int, values: int) -> None:
    """Once with a weight and once without."""
    result = count(Variants(product), torch.randn(N, C))
    assert (result.macs, result.macs_without_attention) == (2 * macs, macs)
    assert result.activations == 2 * values


class LearnedQueries(nn.Module):
    """Tokens that are parameters, projected to queries: their product with the keys is attention."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(2, C))
        self.query = nn.Linear(C, C)

    def forward(self, x: Tensor) -> Tensor:
        return self.query(self.tokens) @ x.transpose(-2, -1)


def test_projected_tokens_are_no_weight() -> None:
    result = count(LearnedQueries(), torch.randn(1, N, C))
    assert result.macs_without_attention == 2 * C * C
    assert result.macs - result.macs_without_attention == 2 * C * N


class Kernels(nn.Module):
    """Convolutions whose kernels are: a parameter, standardised; computed from the input; a gradient by a kernel."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(torch.randn(4, C, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == 'standardised':
            return F.conv2d(x, F.layer_norm(self.weight, (C, 3, 3)), padding=1)
        if self.kind == 'dynamic':
            return F.conv2d(x, x.mean((2, 3)).view(1, C, 1, 1).expand(4, C, 3, 3), padding=1)
        if self.kind == 'gradient by kernel':
            return nn.grad.conv2d_weight(x, (4, C, 3, 3), x[:, :4].contiguous(), padding=1)
        return nn.grad.conv2d_input(x.shape, self.weight, x[:, :4].contiguous(), padding=1)


@pytest.mark.parametrize(
    ('kind', 'attention', 'activations'),
    [
        ('standardised', False, 4 * 30),
        ('dynamic', True, 4 * 30),
        ('gradient by kernel', True, 4 * C * 9),
        ('gradient by input', False, C * 30),
    ],
)
def test_convolutions_with_other_kernels(kind: str, attention: bool, activations: int) -> None:
    result = count(Kernels(kind), torch.randn(1, C, 5, 6))
    assert result.macs == 5 * 6 * C * 9 * 4
    assert result.macs_without_attention == (0 if attention else result.macs)
    assert result.activations == activations


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Conv2d(3, 4, 1)
        self.heads = nn.ModuleDict({'a': nn.Conv2d(4, 2, 1), 'b': nn.Conv2d(4, 5, 1, bias=False)})
        self.act = nn.ReLU()
        self.kernel = torch.ones(2, 2)  # a tensor that `.to` does not move

    def forward(self, x: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        if mode != 'tensor':
            raise ValueError('mode')
        features = self.act(self.backbone(x))
        maps = {name: head(features) for name, head in self.heads.items()}
        grid = torch.arange(features.shape[-1], dtype=features.dtype)  # made on the way, without a device
        maps['a'] = maps['a'] + (grid @ grid) + (maps['a'][0, :, :2, :2] @ self.kernel).sum()
        return maps


def test_parts_totals_and_json() -> None:
    model = TwoHeads()
    model.backbone.requires_grad_(False)
    model.heads['a'].eval()
    result = count(model, torch.randn(1, 3, 6, 8), forward=lambda m, x: m(x, mode='tensor'))
    pixels = 48
    assert list(result.parts) == ['backbone', 'heads.a', 'heads.b', '(elsewhere)']
    assert [p.params for p in result.parts.values()] == [16, 10, 20, 0]
    assert [p.trainable_params for p in result.parts.values()] == [0, 10, 20, 0]
    elsewhere = 8 + 2 * 2 * 2 * 2
    assert [p.macs for p in result.parts.values()] == [pixels * 12, pixels * 8, pixels * 20, elsewhere]
    assert (result.params, result.trainable_params) == (46, 30)
    assert result.macs == pixels * 40 + elsewhere
    assert result.macs_without_attention == pixels * 40
    assert result.activations == pixels * 11 + 1 + 8
    assert result.shape == (1, 3, 6, 8)

    read = json.loads(json.dumps(result.to_dict()))
    assert {key: type(read[key]) for key in ('params', 'trainable_params', 'macs', 'macs_without_attention')} == {
        'params': int,
        'trainable_params': int,
        'macs': int,
        'macs_without_attention': int,
    }
    assert read['shape'] == [1, 3, 6, 8]
    assert read['parts']['heads.b']['macs'] == pixels * 20
    text = result.to_text()
    assert 'heads.b' in text
    assert 'Attention products are' in text

    # The model is as it was.
    assert model.training
    assert model.backbone.training
    assert not model.heads['a'].training
    assert not model.backbone._forward_hooks
    assert model.backbone.weight.device.type == model.kernel.device.type == 'cpu'


def test_shared_parameters_count_once_in_the_total() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    result = count(model, torch.randn(1, 4))
    assert result.params == 16
    assert [part.params for part in result.parts.values()] == [16, 16]
    assert result.macs == 32


class PastThePart(nn.Module):
    """Calls layers of a part without calling the part; both parts share a layer."""

    def __init__(self) -> None:
        super().__init__()
        shared = nn.Linear(4, 4)
        self.first = nn.Sequential(nn.Linear(4, 4), shared)
        self.second = nn.Sequential(shared, nn.Linear(4, 8))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first[0](x))


def test_layers_called_past_their_part_belong_to_it() -> None:
    result = count(PastThePart(), torch.randn(1, 4))
    assert {name: part.macs for name, part in result.parts.items()} == {'first': 16, 'second': 16 + 32}
    assert result.macs == 64


class DataDependent(nn.Module):
    """Cannot run on ``meta``: it looks at values."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if x.sum().item() == 0 else x


def test_a_model_that_needs_values_is_run_instead() -> None:
    result = count_complexity(DataDependent(), torch.empty(2, 4, device='meta'))
    assert result.device == 'cpu'
    assert result.macs == 2 * 16


def test_a_large_model_costs_no_memory_for_activations() -> None:
    size = 4096  # the attention map of 1024 × 1024 positions would take 4 TB
    model = Attention('sdpa')
    result = count_complexity(model, torch.empty(1, size * 256, C, device='meta'))
    assert result.macs - result.macs_without_attention == 2 * (size * 256) ** 2 * C


def test_errors_speak_for_themselves() -> None:
    with pytest.raises(RuntimeError, match='expected input'):
        count_complexity(nn.Conv2d(3, 4, 1), torch.randn(1, 5, 4, 4))
    with pytest.raises(ValueError, match='at least one input'):
        count_complexity(nn.Conv2d(3, 4, 1))
    with pytest.raises(ValueError, match='mode'):
        count_complexity(TwoHeads(), torch.randn(1, 3, 4, 4))


CONFIG = """
input_size = (64, 96)
tasks = dict(semseg=dict(type='SemSeg', num_classes=13), depth=dict(type='Depth'))
model = dict(
    type='MultiTaskModel',
    tasks=tasks,
    backbone=dict(type='HRNet', arch='w18-small-v2'),
    neck=dict(type='PyramidConcat'),
    heads=dict(type='HighResolutionHead', in_channels=270),
    losses=dict(semseg=dict(type='CrossEntropyLoss'), depth=dict(type='L1Loss')),
)
"""


@pytest.fixture
def tool() -> ModuleType:
    path = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'get_complexity.py'
    spec = importlib.util.spec_from_file_location('get_complexity', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tool(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / 'config.py'
    config.write_text(CONFIG, encoding='utf-8')

    def printed(*options: str) -> dict[str, Any]:
        tool.main([str(config), '--json', *options])
        return json.loads(capsys.readouterr().out)

    default, doubled, smaller = (
        printed(),
        printed('--shape', '128', '96'),
        printed('--cfg-options', 'model.backbone.arch=w18-small-v1', 'model.heads.in_channels=240'),
    )
    assert default['shape'] == [1, 3, 64, 96]
    assert round(default['parts']['backbone']['params'] / 1e6, 3) == 3.861
    assert set(default['parts']) == {'backbone', 'heads.semseg', 'heads.depth'}
    assert default['params'] == sum(part['params'] for part in default['parts'].values())
    assert doubled['macs'] == 2 * default['macs']
    assert doubled['params'] == default['params']
    assert smaller['parts']['backbone']['params'] < 1.5e6

    tool.main([str(config)])
    text = capsys.readouterr().out
    assert 'heads.depth' in text
    assert f'{default["macs"] / 1e9:.3f} G' in text

    config.write_text(CONFIG.replace('input_size = (64, 96)', ''), encoding='utf-8')
    with pytest.raises(SystemExit):
        tool.main([str(config)])
    assert '--shape H W' in capsys.readouterr().err
