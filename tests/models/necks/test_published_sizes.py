"""Parameters and MACs of the configs against the figures that the papers' tables print."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml

from mtlbox.apis.complexity import Complexity, build_for_counting, count_complexity
from mtlbox.config import load_config

ROOT = Path(__file__).parents[3]
STL = 11.808e6


@cache
def count(config: str, **options: object) -> Complexity:
    """Parameters, and the MACs of one image of the config's size."""
    cfg = load_config(ROOT / 'configs' / config, {f'model.{key}': value for key, value in options.items()})
    model = build_for_counting(cfg.model)
    image = torch.empty(1, 3, *cfg.input_size, device='meta')
    return count_complexity(model, image, forward=lambda m, x: m.logits(x))


RELATIVE = [
    ('stl/stl_hrnet18_nyuv2-13.py', 1.0),
    ('mtl/mtl_hrnet18_nyuv2-13.py', 0.346),
    ('pad_net/pad_net_hrnet18_nyuv2-13.py', 1.023),
    ('pap_net/pap_net_hrnet18_nyuv2-13.py', 0.405),  # printed .404
    ('mti_net/mti_net_hrnet18_nyuv2-13.py', 1.070),
    ('ctal/ctal_hrnet18_nyuv2-13.py', 0.513),
    ('ctal/ctal-ms_hrnet18_nyuv2-13.py', 0.944),
]


@pytest.mark.parametrize(('config', 'relative'), RELATIVE)
def test_size_beside_stl(config: str, relative: float) -> None:
    assert round(count(config).params / STL, 3) == relative


CITYSCAPES = [
    ('stl/stl_hrnet18_cityscapes.py', 7.874),
    ('ctal/ctal_hrnet18_cityscapes.py', 5.263),
    ('ctal/ctal-ms_hrnet18_cityscapes.py', 8.474),
]


@pytest.mark.parametrize(('config', 'millions'), CITYSCAPES)
def test_size_on_cityscapes(config: str, millions: float) -> None:
    assert round(count(config).params / 1e6, 3) == millions


# The tables print MACs of a batch of 8 as FLOPs, of the dense form; these are ours, within 1.5 % of the printed ones.
GIGA_MACS_OF_8 = [
    ('mtl/mtl_hrnet18_nyuv2-13.py', 40.5),
    ('pad_net/pad_net_hrnet18_nyuv2-13.py', 482),
    ('mti_net/mti_net_hrnet18_nyuv2-13.py', 63.6),
]


@pytest.mark.parametrize(('config', 'macs_of_8'), GIGA_MACS_OF_8)
def test_macs(config: str, macs_of_8: float) -> None:
    assert count(config).macs / 1e9 == pytest.approx(macs_of_8 / 8, rel=0.02)


@pytest.mark.parametrize(
    ('config', 'macs_of_8'),
    [
        ('ctal/ctal_hrnet18_nyuv2-13.py', 533),
        ('ctal/ctal-ms_hrnet18_nyuv2-13.py', 522),
        ('pap_net/pap_net_hrnet18_nyuv2-13.py', 521),
    ],
)
def test_macs_of_the_dense_form(config: str, macs_of_8: float) -> None:
    dense = count(config, **{'neck.impl': 'dense'})
    assert dense.macs / 1e9 == pytest.approx(macs_of_8 / 8, rel=0.02)
    assert count(config).macs < 0.8 * dense.macs  # the factored form


def test_pap_net_was_published_with_two_iterations() -> None:
    once = count('pap_net/pap_net_hrnet18_nyuv2-13.py', **{'neck.impl': 'dense', 'neck.iterations': 1})
    assert once.macs / 1e9 < 0.75 * 521 / 8


def test_parameters_of_feature_propagation() -> None:
    """Three modules over 36, 72 and 144 channels, and the initial heads' inputs from the coarser scale."""
    config, channels, tasks = 'mti_net/mti_net_hrnet18_nyuv2-13.py', (36, 72, 144), 3

    def basic_block(i: int, o: int) -> int:
        return 9 * o * (i + o) + 4 * o + (i * o + 2 * o if i != o else 0)

    expected = 0
    for own, coarser in zip((18, 36, 72), channels):
        expected += tasks * (basic_block(own + coarser, own) - basic_block(own, own))
    for c in channels:
        joint, inner = tasks * c, tasks * c // 4
        gate = basic_block(joint, inner) + basic_block(inner, inner) + inner * joint + joint
        expected += gate + basic_block(joint, c) + tasks * 2 * c * (c // 16)
    assert count(config).params - count(config, **{'neck.feature_propagation': False}).params == expected


@pytest.mark.parametrize(('stride', 'relative'), [(4, 0.513), (6, 0.504), (8, 0.501)])
def test_scales_of_the_affinity(stride: int, relative: float) -> None:
    changed = count('ctal/ctal_hrnet18_nyuv2-13.py', **{'neck.affinity_stride': stride})
    assert round(changed.params / STL, 3) == relative


@pytest.mark.parametrize('model', ['ctal', 'ctal-ms'])
def test_parameters_of_the_grouped_convolution(model: str) -> None:
    config, pixels = f'ctal/{model}_hrnet18_nyuv2-13.py', 72 * 96
    base = count(config).params
    assert count(config, **{'neck.kernel_size': 5}).params - base == pixels * 3 * (25 - 9)
    assert count(config, **{'neck.fusion': 'per_task'}).params - base == 2 * pixels * (3 * 9 + 1)
    assert count(config, **{'neck.affinity_stride': 8}).params - base == (36 * 48 - pixels) * (3 * 9 + 1)


def test_ctal_and_mti_net_have_the_same_feature_propagation() -> None:
    costs = [
        count(config).params - count(config, **{'neck.feature_propagation': False}).params
        for config in ('ctal/ctal-ms_hrnet18_nyuv2-13.py', 'mti_net/mti_net_hrnet18_nyuv2-13.py')
    ]
    assert costs[0] == costs[1] > 0


# What each option of an ablation does to the parameters and to the MACs of the dense form: more, fewer or none.
CHANGES = {
    'gamma': (0, 0),
    'kernel_size': (1, 1),
    'affinity_stride': (-1, -1),
    'fusion': (1, 1),
    'feature_propagation': (-1, -1),
    'initial_reduction': (0, 0),
    'iterations': (0, -1),
    'normalise_over': (0, 0),
    'divide': (0, 0),
    'attention=global': (0, 1),
    'attention=none': (0, -1),
    'depth': (1, 1),
    'num_scales': (-1, -1),
    'mid_channels': (-1, -1),
    'mixer': (-1, -1),
    'interaction': (-1, -1),
    'query': (-1, -1),
    'mixer_order': (0, 0),
    'absolute_coords': (0, 0),
    'norm_first': (1, 0),
    'keep_unused': (-1, 0),
    'gated_channels': (1, 1),
    'cross_attention': (-1, -1),
    'feature_mapping': (-1, -1),
    'feature_fusion': (-1, -1),
    'feature_balance': (1, 1),
    'update_others': (0, 0),
    'scale_quirk': (0, 0),
    'legacy_patch_embed': (-1, 0),
    'contrast=none': (-1, 0),
    'saff': (-1, -1),
    'sfd': (-1, -1),
    'lthd': (-1, -1),
    'distill=cross': (-1, 0),
    'num_terms': (1, 0),
}


def ablations() -> list:
    return [
        pytest.param(
            model['Config'].removeprefix('configs/'),
            row['Options'],
            id=f'{model["Name"]}: {row["Name"]}',
            marks=pytest.mark.slow if 'swin' in model['Name'] else (),
        )
        for path in sorted(ROOT.glob('configs/*/metafile.yml'))
        for model in yaml.safe_load(path.read_text())['Models']
        for row in model.get('Ablations', [])
    ]


@pytest.mark.parametrize(('config', 'options'), ablations())
def test_an_ablation_changes_what_it_should(config: str, options: str) -> None:
    model = load_config(ROOT / 'configs' / config).model
    dense = {'neck.impl': 'dense'} if 'impl' in model.neck else {}
    values, changes = {}, []
    for option in options.split():
        key, _, text = option.removeprefix('model.').partition('=')
        part, _, name = key.partition('.')
        values[key] = yaml.safe_load(text)
        if values[key] != model[part][name]:
            changes.append(CHANGES.get(f'{name}={text}') or CHANGES[name])
    expected = tuple(sign(sum(change)) for change in zip(*changes)) or (0, 0)
    base, changed = count(config, **dense), count(config, **dense, **values)
    assert (sign(changed.params - base.params), sign(changed.macs - base.macs)) == expected


def sign(difference: int) -> int:
    return (difference > 0) - (difference < 0)


# Config, width, published parameters in millions and GMACs, and how far ours are from them at most.
DEMT = [
    ('demt/demt_hrnet18_nyud.py', 128, 4.76, 22.07, 0.002, 0.08),
    ('demt/demt_swin-t_nyud.py', 256, 32.07, 100.70, 0.0001, 0.005),
    pytest.param('demt/demt_swin-s_nyud.py', 256, 53.03, 121.05, 0.007, 0.005, marks=pytest.mark.slow),
    pytest.param('demt/demt_swin-b_nyud.py', 256, 90.9, 153.65, 0.012, 0.07, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(('config', 'channels', 'millions', 'giga_macs', 'far', 'macs_far'), DEMT)
def test_demt(config: str, channels: int, millions: float, giga_macs: float, far: float, macs_far: float) -> None:
    """Sizes as published. MACs as a counter of that time reads the released code: their counting tool is not known.

    It is told by the published figures that such a counter takes the first axis for the sequence, and so counts keys
    and values of one task where there are those of all; counts the queries and keys of an attention over single tokens;
    and does not see into the deformable operator.
    """
    ours = count(config)
    assert ours.params / 1e6 == pytest.approx(millions, rel=far)
    tasks, one_layer = 4, 107 * 140 * channels**2  # a linear layer on the tokens of one task
    counted = ours.macs_without_attention + 2 * tasks * one_layer
    counted -= 2 * tasks * (tasks - 1) * one_layer + tasks * one_layer
    assert counted / 1e9 == pytest.approx(giga_macs, rel=macs_far)


def test_demt_on_hrnet_has_half_the_width_of_the_released_code() -> None:
    wide = count('demt/demt_hrnet18_nyud.py', **{'neck.channels': 256, 'heads.in_channels': 256})
    assert round(wide.params / 1e6, 2) == 6.75  # 4.76 are published


def test_cost_of_global_attention() -> None:
    """Products of all tokens of four tasks with all of them, in the interaction and in the queries."""
    config, tokens = 'demt/demt_hrnet18_nyud.py', 4 * 107 * 140
    near, far = count(config), count(config, **{'neck.attention': 'global'})
    pooled = count(config, **{'neck.attention': 'global', 'neck.kv_stride': 4})
    assert near.macs == near.macs_without_attention
    assert far.macs - far.macs_without_attention == 4 * 128 * tokens**2
    assert pooled.macs - pooled.macs_without_attention == 4 * 128 * tokens * 4 * 27 * 35


# Config, options, published parameters in millions and GMACs, ours, and how much more or less they are at most.
# Reason: reconstructed design. Widths were fitted to the first three, the design was chosen with all at hand.
CROSS = {'neck.lthd': False, 'neck.distill': 'cross'}
OF_TIF = [
    ('tif/tif_hrnet18_nyud.py', {}, 5.27, 16.6, 5.281, 16.49, 0.003, 0.01),
    ('tif/tif_swin-t_nyud.py', {}, 32.91, 76.33, 32.951, 75.89, 0.002, 0.01),
    pytest.param('tif/tif_swin-l_nyud.py', {}, 204.19, 274.27, 204.382, 277.50, 0.001, 0.02, marks=pytest.mark.slow),
    ('tif/tif_swin-t_nyud.py', {'neck.lthd': False}, 31.78, 62.49, 31.520, 64.50, 0.009, 0.04),
    ('tif/tif_swin-t_nyud.py', CROSS, 31.56, 62.89, 31.334, 64.50, 0.008, 0.03),
]


@pytest.mark.parametrize(
    ('config', 'options', 'millions', 'giga_macs', 'our_millions', 'our_giga_macs', 'far', 'macs_far'), OF_TIF
)
def test_tif(
    config: str,
    options: dict[str, object],
    millions: float,
    giga_macs: float,
    our_millions: float,
    our_giga_macs: float,
    far: float,
    macs_far: float,
) -> None:
    ours = count(config, **options)
    assert round(ours.params / 1e6, 3) == our_millions
    assert ours.macs / 1e9 == pytest.approx(our_giga_macs, abs=0.01)
    assert our_millions == pytest.approx(millions, rel=far)
    assert our_giga_macs == pytest.approx(giga_macs, rel=macs_far)


# ATRC's protocol: parameters and MACs of one 425x560 image, printed as 4.52 M / 17.59 G and 16.09 M / 40.93 G.
OF_ATRC = [
    ('mtl/mtl_hrnet18_nyud.py', 4.516, 17.47),
    ('stl/stl_hrnet18_nyud.py', 16.098, 40.5),
    pytest.param('mtl/mtl_swin-t_nyud.py', 32.502, 96.21, marks=pytest.mark.slow),  # 32.50 M / 96.29 G
]


@pytest.mark.parametrize(('config', 'millions', 'giga_macs'), OF_ATRC)
def test_size_in_atrcs_protocol(config: str, millions: float, giga_macs: float) -> None:
    counted = count(config)
    assert round(counted.params / 1e6, 3) == millions
    assert counted.macs_without_attention / 1e9 == pytest.approx(giga_macs, abs=0.01)


NYUD = 'mtformer/mtformer_swin-s_nyud.py'
WO_CL = {'neck.contrast': 'none'}


@pytest.mark.parametrize(
    ('config', 'options', 'millions', 'giga_macs', 'clean'),
    [
        (NYUD, WO_CL, 64.03, 117.73, 60.882),
        (NYUD, {**WO_CL, 'neck.cross_attention': False}, 62.45, 94.62, 57.203),
        pytest.param('mtformer/mtformer-stl_swin-s_nyud.py', {}, 114.26, None, 107.967, marks=pytest.mark.slow),
    ],
)
def test_mtformer(config: str, options: dict, millions: float, giga_macs: float | None, clean: float) -> None:
    """As printed with the unused patch embeddings, 1.05 M each, and without them; MACs without attention products."""
    ours = count(config, **options)
    assert round(ours.params / 1e6, 2) == millions
    if giga_macs is not None:
        assert ours.macs_without_attention / 1e9 == pytest.approx(giga_macs, rel=0.03)
    assert round(count(config, **options, **{'neck.legacy_patch_embed': False}).params / 1e6, 3) == clean


PASCAL = 'mtformer/mtformer_swin-s_pascal.py'


@pytest.mark.parametrize(
    ('config', 'options', 'millions', 'giga_macs', 'clean'),
    [
        (PASCAL, WO_CL, 74.12, 148.3, 69.918),
        (PASCAL, {**WO_CL, 'neck.cross_attention': False}, 67.80, 94.42, 60.458),
        pytest.param('mtformer/mtformer-stl_swin-s_pascal.py', {}, 171.43, None, 161.986, marks=pytest.mark.slow),
    ],
)
def test_mtformer_on_pascal(config: str, options: dict, millions: float, giga_macs: float | None, clean: float) -> None:
    """The paper prints 128.77 G with cross-task attention, which is not reproduced: its counting tool is unknown.

    Ours is kept here in its place; without that attention, and on NYUD with and without, the printed figures come out.
    """
    ours = count(config, **options)
    assert round(ours.params / 1e6, 2) == millions
    if giga_macs is not None:
        assert ours.macs_without_attention / 1e9 == pytest.approx(giga_macs, rel=0.04)
    assert round(count(config, **options, **{'neck.legacy_patch_embed': False}).params / 1e6, 3) == clean


OF_ONE_MAP = [
    ('stl/stl_swinv2-s_nyuv2-13.py', 166.8),
    ('mtl/mtl_swinv2-s_nyuv2-13.py', 68.8),
    ('pad_net/pad_net_swinv2-s_nyuv2-13.py', 65.6),
    ('pap_net/pap_net_swinv2-s_nyuv2-13.py', 55.8),
    ('ctal/ctal_swinv2-s_nyuv2-13.py', 56.9),  # printed 57.0
    ('mtl/mtl_swinv2-s_pascal.py', 82.1),  # in the paper's column of FLOPs, as the next three
    ('pad_net/pad_net_swinv2-s_pascal.py', 88.5),
    ('pap_net/pap_net_swinv2-s_pascal.py', 60.4),
    ('ctal/ctal_swinv2-s_pascal.py', 62.2),
]


@pytest.mark.parametrize(('config', 'millions'), OF_ONE_MAP)
def test_transformers_of_ctal(config: str, millions: float) -> None:
    assert round(count(config).params / 1e6, 1) == millions


CNNS_OF_MTFORMER = [
    ('stl_resnet50_nyud', 79.27, 384.35),
    ('mtl_resnet50_nyud', 55.77, 267.10),
    ('stl_resnet50_pascal', 118.91, 491.93),
    ('mtl_resnet50_pascal', 71.89, 291.83),
]


@pytest.mark.parametrize(('config', 'millions', 'giga_macs'), CNNS_OF_MTFORMER)
def test_cnns_of_mtformer(config: str, millions: float, giga_macs: float) -> None:
    ours = count(f'mtformer/mtformer-{config}.py')
    assert ours.params / 1e6 == pytest.approx(millions, abs=0.01)
    assert ours.macs / 1e9 == pytest.approx(giga_macs, rel=0.005)


def test_tif_on_vit() -> None:
    assert count('tif/tif_vit-b_nyud.py').params / 1e6 == pytest.approx(124, rel=0.01)
