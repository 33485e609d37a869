"""MTFormer: its cross-task block against its self block, its switches, its contrast as a loss of the neck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn

from mtlbox.models.layers import WindowBlock
from mtlbox.models.necks import MTFormer
from mtlbox.models.necks.mtformer import CrossTaskBlock
from mtlbox.registry import DATASETS, MODELS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task

SMALL = {'channels': 12, 'num_heads': 2, 'window': 7}
THREE = ('semseg', 'depth', 'normals')


def make(tasks: Mapping[str, Task], in_channels: tuple[int, ...], **options: Any) -> MTFormer:
    torch.manual_seed(0)
    neck = MTFormer(tasks=tasks, in_channels=in_channels, **{**SMALL, **options})
    with torch.no_grad():
        for name, value in neck.named_parameters():  # Swin's start is so small that nothing would be seen
            value.add_(0.3 * torch.randn_like(value)) if 'unused' not in name else None
    return neck


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def cross_block(count: int = 3, **options: Any) -> CrossTaskBlock:
    torch.manual_seed(0)
    arguments = {
        'tasks': THREE[:count],
        'channels': 12,
        'num_heads': 2,
        'window': 7,
        'shift': 3,
        'mlp_ratio': 4.0,
        'scale': None,
        'feature_mapping': True,
        'feature_fusion': True,
        'feature_balance': True,
        'unmapped_residual': True,
        **options,
    }
    block = CrossTaskBlock(**arguments)
    with torch.no_grad():
        for value in block.parameters():
            value.add_(0.2 * torch.randn_like(value))
    return block


def silence(layer: nn.Module) -> None:
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()


def self_block(block: CrossTaskBlock) -> WindowBlock:
    """The plain block with the weights that a cross-task block shares with it."""
    plain = WindowBlock(channels=12, num_heads=2, shift=3)
    names = plain.state_dict().keys()
    plain.load_state_dict({name: value for name, value in block.state_dict().items() if name in names})
    return plain


def maps(count: int = 3) -> Tensor:
    return torch.randn(count, 2, 8, 11, 12, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_without_what_others_say_the_cross_block_is_the_self_block() -> None:
    own, *others = maps()
    block = cross_block(feature_fusion=False)
    for mapping in block.mappings.values():
        silence(mapping[-1])
    torch.testing.assert_close(block(own, *others), self_block(block)(own))
    block = cross_block()
    assert not torch.allclose(block(own, *others), self_block(block)(own), atol=0.1)
    silence(block.fusion[-1])
    torch.testing.assert_close(block(own, *others), self_block(block)(own))


@torch.no_grad()
@pytest.mark.parametrize('residual', [True, False])
@pytest.mark.parametrize('fusion', [True, False])
def test_with_the_others_mapped_to_nought_a_task_is_alone(fusion: bool, residual: bool) -> None:
    """It is then a self block of attention A + M_f(M(A)), or A + M(A), or that without A: whatever the others hold."""
    own, *others = maps()
    block = cross_block(feature_fusion=fusion, unmapped_residual=residual)
    for task in THREE[1:]:
        silence(block.mappings[task][-1])
    attended = block.attention(block.norm(own))
    mapped = block.mappings['semseg'](attended)
    if fusion:
        mapped = block.fusion(torch.cat([mapped, torch.zeros(*mapped.shape[:-1], 12)], dim=-1))
    x = own + attended + mapped if residual else own + mapped
    expected = x + block.mlp(block.mlp_norm(x))
    torch.testing.assert_close(block(own, *others), expected)
    torch.testing.assert_close(block(own, *maps()[:2]), expected)


@torch.no_grad()
def test_cross_attention_takes_queries_and_keys_of_the_source_and_values_of_the_target() -> None:
    own, *others = maps()
    block = cross_block(feature_mapping=False)
    normed = [block.norm(x) for x in (own, *others)]
    attended = [block.attention(normed[0], source[None])[0] for source in normed]
    x = own + attended[0] + block.fusion(torch.cat(attended, dim=-1))
    torch.testing.assert_close(block(own, *others), x + block.mlp(block.mlp_norm(x)))


def linear(i: int, o: int) -> int:
    return i * o + o


def test_every_second_block_of_a_stack_is_shifted(tasks: dict[str, Task], in_channels: tuple[int, ...]) -> None:
    neck = make(tasks, in_channels)
    stacks = [neck.shared, *neck.own.values(), *neck.cross.values()]
    assert len(stacks) == 1 + 2 * len(tasks)
    for stack in stacks:
        assert [block.attention.shift for block in stack.blocks] == [0, 3]


def test_parameters_of_the_block_with_each_switch() -> None:
    """Hand-counted, for c = 12 and three tasks."""
    c, n = 12, 3
    common = 4 * c + linear(c, 3 * c) + linear(c, c) + 169 * 2 + linear(c, 4 * c) + linear(4 * c, c)
    inner = n * c
    mapped = n * linear(c, inner) + linear(inner, c)
    fused = linear(inner, c)
    assert size(cross_block()) == common + mapped + 2 * linear(inner, c // 2) + linear(2 * c, inner) + fused
    assert size(cross_block(feature_balance=False)) == common + mapped + 2 * linear(inner, c) + (
        linear(n * c, inner) + fused
    )
    assert size(cross_block(feature_mapping=False)) == common + linear(n * c, inner) + fused
    assert size(cross_block(feature_fusion=False)) == common + mapped + 2 * linear(inner, c)


def test_with_two_tasks_balance_is_nothing() -> None:
    assert size(cross_block(2)) == size(cross_block(2, feature_balance=False))


def others_matter(neck: MTFormer, pyramid: list[Tensor]) -> dict[str, bool]:
    """Whether each task's features change with the weights of another task's own stack."""
    neck.eval()
    with torch.no_grad():
        before = neck(pyramid).features
        for value in neck.own['depth'].parameters():
            value.add_(torch.randn_like(value))
        after = neck(pyramid).features
    return {key: not torch.allclose(before[key], after[key], rtol=1e-4, atol=1e-5) for key in before}


@pytest.mark.parametrize('switch', [{}, {'feature_mapping': False}, {'feature_fusion': False}, {'update_others': True}])
def test_a_task_hears_the_others(
    switch: dict, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    assert all(others_matter(make(tasks, in_channels, **switch), pyramid).values())


def test_without_cross_attention_no_task_hears_another(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, cross_attention=False)
    assert others_matter(neck, pyramid) == {'semseg': False, 'depth': True, 'normals': False}
    assert size(neck) < size(make(tasks, in_channels))


def test_updated_others_are_heard_from_the_second_block_on(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    """Depth's first cross-task block reaches the other tasks only if they read updated features, a block later."""

    def reaches(**options: Any) -> bool:
        neck = make(tasks, in_channels, **options).eval()
        with torch.no_grad():
            before = neck(pyramid).features['semseg']
            neck.cross['depth'].blocks[0].mlp[-1].bias.add_(torch.randn(12))
            return not torch.allclose(before, neck(pyramid).features['semseg'], rtol=1e-4, atol=1e-5)

    assert reaches(update_others=True)
    assert not reaches()
    assert not reaches(update_others=True, num_blocks=(1, 1, 1))


@pytest.mark.parametrize(('count', 'factor'), [(2, 128**-0.5), (3, 192**-0.5)])
def test_scale_quirk_takes_the_scale_of_the_concatenated_width(
    count: int, factor: float, tasks: dict[str, Task]
) -> None:
    chosen = {key: tasks[key] for key in THREE[:count]}
    options = {'tasks': chosen, 'in_channels': (4,)}
    with torch.device('meta'):
        quirk, clean = MTFormer(**options, scale_quirk=True), MTFormer(**options)
    assert {block.attention.scale for stack in quirk.cross.values() for block in stack.blocks} == {factor}
    assert {block.attention.scale for stack in clean.cross.values() for block in stack.blocks} == {None}  # 64**-0.5
    assert quirk.own['depth'].blocks[0].attention.scale is None
    assert size(quirk) == size(clean)


def test_scale_quirk_changes_the_features(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    with torch.no_grad():
        a, b = (make(tasks, in_channels, scale_quirk=quirk)(pyramid).features['depth'] for quirk in (True, False))
    assert not torch.allclose(a, b, atol=1e-3)


@pytest.mark.parametrize(('cross_attention', 'stacks'), [(True, 4), (False, 7)])
def test_legacy_patch_embeddings_are_counted_and_do_nothing(
    cross_attention: bool,
    stacks: int,
    tasks: dict[str, Task],
    pyramid: list[Tensor],
    in_channels: tuple[int, ...],
) -> None:
    """One per plain stack: the shared one and each task's own, and the last ones if they are plain."""
    clean = make(tasks, in_channels, cross_attention=cross_attention)
    legacy = make(tasks, in_channels, cross_attention=cross_attention, legacy_patch_embed=True)
    assert size(legacy) - size(clean) == stacks * (16 * 12 * 12 + 12 + 2 * 12)
    assert all(value.requires_grad != name.startswith('unused') for name, value in legacy.named_parameters())
    legacy.load_state_dict(clean.state_dict(), strict=False)
    with torch.no_grad():
        assert legacy(pyramid).features['depth'].equal(clean(pyramid).features['depth'])


def renamed(name: str, names: dict[str, str]) -> str:
    return '.'.join(names.get(part, part) for part in name.split('.'))


@pytest.mark.parametrize('options', [{}, {'update_others': True}, {'cross_attention': False}], ids=str)
def test_permuting_tasks_permutes_outputs(
    options: dict, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, **options).eval()
    turn = {'semseg': 'depth', 'depth': 'normals', 'normals': 'semseg'}
    turned = make({turn[key]: task for key, task in tasks.items()}, in_channels, **options).eval()
    turned.load_state_dict({renamed(name, turn): value for name, value in neck.state_dict().items()})
    with torch.no_grad():
        one, other = neck(pyramid).features, turned(pyramid).features
    assert not torch.allclose(one['semseg'], one['depth'], atol=0.1)
    for key in tasks:
        torch.testing.assert_close(other[turn[key]], one[key])


def test_the_order_of_tasks_is_nothing_where_they_are_summed(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, feature_fusion=False).eval()
    other = make(dict(reversed(tasks.items())), in_channels, feature_fusion=False).eval()
    other.load_state_dict(neck.state_dict())
    with torch.no_grad():
        one, reverse = neck(pyramid).features, other(pyramid).features
    for key in tasks:
        torch.testing.assert_close(reverse[key], one[key], rtol=1e-4, atol=1e-5)


def test_features_lie_at_the_finest_map(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels)
    assert {tuple(x.shape) for x in neck(pyramid).features.values()} == {(2, 12, 16, 24)}
    neck = make(tasks, in_channels[1:])
    assert {tuple(x.shape) for x in neck(pyramid[1:]).features.values()} == {(2, 12, 8, 12)}


def test_one_task_works_without_cross_attention(pyramid: list[Tensor], tasks: dict[str, Task]) -> None:
    one = {'depth': tasks['depth']}
    assert make(one, (16,), cross_attention=False)(pyramid[:1]).features['depth'].shape == (2, 12, 16, 24)
    with pytest.raises(ValueError, match=r"at least two tasks, but the model has \['depth'\].*cross_attention=False"):
        make(one, (16,))
    with pytest.raises(ValueError, match=r"Contrast between tasks needs at least two tasks, but got \['depth'\]"):
        make(one, (16,), cross_attention=False, contrast='info_nce_batch')


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'contrast': 'nce_bnak'}, r"contrast: expected one of .*, got 'nce_bnak'; meant 'nce_bank'\?"),
        ({'contrast': 'nce_bank'}, "contrast_options: 'nce_bank' needs num_samples, num_negatives$"),
        (
            {'contrast': 'info_nce_batch', 'contrast_options': {'num_samples': 9}},
            "contrast_options: 'info_nce_batch' does not take 'num_samples'.*temperature.*contrast_options=None",
        ),
        ({'contrast_weight': 3.0}, "contrast_weight=3.0 weighs nothing, for contrast is 'none'"),
        ({'cross_attention': False, 'feature_mapping': False}, 'feature_mapping=False .* set feature_mapping=True too'),
        ({'cross_attention': False, 'feature_fusion': False}, 'feature_fusion=False is for cross_attention=True'),
        ({'cross_attention': False, 'feature_balance': False}, 'feature_balance=False is for cross_attention=True'),
        ({'feature_mapping': False, 'feature_balance': False}, 'feature_balance=False is for feature_mapping=True'),
        ({'feature_fusion': False, 'feature_balance': False}, 'feature_balance=False is for feature_fusion=True'),
        ({'cross_attention': False, 'unmapped_residual': False}, 'unmapped_residual=False is for cross_attention=True'),
        ({'cross_attention': False, 'update_others': True}, 'update_others=True is for .* set update_others=False too'),
        ({'contrast': 'info_nce_batch', 'contrast_weight': -1.0}, 'contrast_weight: expected 0 or more, got -1.0'),
        ({'num_blocks': (2, 2)}, r'num_blocks: expected three numbers, .* got \(2, 2\)'),
        ({'num_blocks': (2, 2, -1)}, r'num_blocks: expected three numbers, .* got \(2, 2, -1\)'),
        ({'num_heads': 0}, 'num_heads: expected 1 or more, got 0'),
        ({'mlp_ratio': 0}, r'mlp_ratio: expected 0.08\d* or more, got 0'),
    ],
    ids=str,
)
def test_wrong_arguments(tasks: dict[str, Task], options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make(tasks, (16,), **options)


def test_what_configs_write_out_stays_when_a_part_is_left_out(tasks: dict[str, Task]) -> None:
    """``cross_attention=False`` and ``contrast='none'`` are each one option on a config that has all the others."""
    bank = {'contrast': 'none', 'contrast_options': {'num_samples': 9, 'num_negatives': 4}}
    neck = make(tasks, (16,), cross_attention=False, scale_quirk=True, update_others=False, **bank)
    assert size(neck) == size(make(tasks, (16,), cross_attention=False))


def samples(*indices: int) -> list[MTLDataSample]:
    return [MTLDataSample(metainfo={'sample_idx': index}) for index in indices]


BANK = {'contrast': 'nce_bank', 'contrast_options': {'num_samples': 9, 'num_negatives': 4}}


@pytest.mark.parametrize(
    ('options', 'weight'),
    [
        (BANK, 0.01),
        ({'contrast': 'info_nce_batch'}, 1.0),
        ({'contrast': 'info_nce_batch', 'contrast_weight': 0.3}, 0.3),
    ],
    ids=str,
)
def test_contrast_is_a_loss_of_training_alone(
    options: dict, weight: float, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, **options)
    before = {name: value.clone() for name, value in neck.named_buffers()}
    assert neck(pyramid).losses == {}
    assert neck.eval()(pyramid, samples(3, 8)).losses == {}
    for name, value in neck.named_buffers():
        assert value.equal(before[name]), name
    neck.train()
    features = {key: x.detach() for key, x in neck(pyramid).features.items()}
    state = {name: value.clone() for name, value in neck.contrast.state_dict().items()}
    expected = weight * neck.contrast(features, [3, 8])
    neck.contrast.load_state_dict(state)
    loss = neck(pyramid, samples(3, 8)).losses['loss_contrast']
    torch.testing.assert_close(loss, expected)
    assert loss.item() > 0
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in neck.contrast.embeddings['normals'][0].parameters())
    assert neck.cross['semseg'].blocks[0].mlp[0].weight.grad.any()  # it is made of what comes after the cross stack


def test_contrast_adds_two_linear_maps_per_task_to_the_parameters(tasks: dict[str, Task]) -> None:
    with torch.device('meta'):
        plain, bank = (MTFormer(tasks=tasks, in_channels=(4,), **options) for options in ({}, BANK))
    assert size(bank) - size(plain) == 3 * (linear(256, 128) + linear(128, 128))


def test_evaluation_is_deterministic(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, **BANK).eval()
    with torch.no_grad():
        one, other = neck(pyramid).features, neck(pyramid).features
    assert all(one[key].equal(other[key]) for key in tasks)


@pytest.mark.parametrize('with_cp', [False, True])
def test_half_precision_trains(
    with_cp: bool, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = make(tasks, in_channels, **BANK, with_cp=with_cp)
    with torch.no_grad():
        exact = neck(pyramid).features['depth']
    with torch.autocast('cpu', torch.bfloat16):
        output = neck(pyramid, samples(0, 1))
    assert torch.nn.functional.cosine_similarity(output.features['depth'].float(), exact).mean() > 0.99
    (output.losses['loss_contrast'] + sum(x.float().square().sum() for x in output.features.values())).backward()
    for name, value in neck.named_parameters():
        assert value.grad is not None and value.grad.isfinite().all(), name


def small_model() -> tuple[nn.Module, dict[str, Any]]:
    """Two tasks on a Swin of three blocks, and a batch of four rooms of 32x48."""
    torch.manual_seed(0)
    model = MODELS.build(
        {
            'type': 'MultiTaskModel',
            'tasks': {'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}},
            'data_preprocessor': {'mean': (127,) * 3, 'std': (64,) * 3},
            'backbone': {
                'type': 'mmpretrain.SwinTransformer',
                'arch': {'embed_dims': 32, 'depths': [1, 1, 1], 'num_heads': [1, 2, 4]},
                'out_indices': (0, 1, 2),
                'window_size': 4,
                'pad_small_map': True,
                'drop_path_rate': 0.0,
            },
            'neck': {
                'type': 'MTFormer',
                'in_channels': (32, 64, 128),
                'channels': 64,
                'window': 4,
                'contrast': 'nce_bank',
                'contrast_options': {'num_samples': 4, 'num_negatives': 4},
            },
            'heads': {
                'semseg': {'type': 'HighResolutionHead', 'in_channels': 64, 'bias': False, 'upsample': 2},
                'depth': {'type': 'NarrowingHead', 'in_channels': 64, 'mid_channels': (32, 16)},
            },
            'losses': {'semseg': {'type': 'CrossEntropyLoss'}, 'depth': {'type': 'L1Loss'}},
            'weighting': {'type': 'UncertaintyWeighting', 'form': 'mtformer'},
        }
    )
    pipeline = [{'type': 'PackMultiTaskInputs'}]
    rooms = DATASETS.build(
        {'type': 'RoomsDataset', 'length': 4, 'size': (32, 48), 'tasks': model.tasks, 'pipeline': pipeline}
    )
    return model, model.data_preprocessor(pseudo_collate([rooms[i] for i in range(4)]), training=True)


@pytest.mark.slow
def test_the_compiled_model_does_the_same() -> None:
    results = []
    for compiled in (False, True):
        model, batch = small_model()
        run = torch.compile(model, backend='aot_eager') if compiled else model
        total, logs = model.parse_losses(run(**batch, mode='loss'))
        total.backward()
        gradients = {name: value.grad for name, value in model.neck.named_parameters()}
        results.append((logs, gradients, dict(model.neck.named_buffers()), run.eval()(batch['inputs'])))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-4)
