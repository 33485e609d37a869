"""Parameters and MACs of switches and ablations; printed sizes are in tests/fidelity."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

import pytest
import yaml
from mmengine.config import DictAction

from mtlbox.apis.complexity import Complexity, count_config
from mtlbox.config import load_config

ROOT = Path(__file__).parents[3]


@cache
def count(config: str, **options: object) -> Complexity:
    """Parameters, and the MACs of one image of the config's size."""
    return count_config(ROOT / 'configs' / config, {f'model.{key}': value for key, value in options.items()})


CITYSCAPES = [
    ('stl/stl_hrnet18_cityscapes.py', 7.874),
    ('ctal/ctal_hrnet18_cityscapes.py', 5.263),
    ('ctal/ctal-ms_hrnet18_cityscapes.py', 8.474),
]


@pytest.mark.parametrize(('config', 'millions'), CITYSCAPES)
def test_size_on_cityscapes(config: str, millions: float) -> None:
    assert round(count(config).params / 1e6, 3) == millions


@pytest.mark.parametrize('config', ['ctal/ctal', 'ctal/ctal-ms', 'pap_net/pap_net'])
def test_the_factored_form_takes_fewer_macs(config: str) -> None:
    config = f'{config}_hrnet18_nyuv2-13.py'
    assert count(config).macs < 0.8 * count(config, **{'neck.impl': 'dense'}).macs


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
    'unmapped_residual': (0, 0),
    'update_others': (0, 0),
    'scale_quirk': (0, 0),
    'legacy_patch_embed': (-1, 0),
    'contrast=none': (-1, 0),
    'contrast=info_nce_batch': (0, 0),
    'contrast_options': (0, 0),
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
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    given = parser.parse_args(['--cfg-options', *options.split()]).cfg_options
    dense = {'neck.impl': 'dense'} if 'impl' in model.neck else {}
    values, changes = {}, []
    for option, value in given.items():
        key = option.removeprefix('model.')
        part, _, name = key.partition('.')
        values[key] = value
        if value != model[part][name]:
            changes.append(CHANGES.get(f'{name}={value}') or CHANGES[name])
    expected = tuple(sign(sum(change)) for change in zip(*changes)) or (0, 0)
    base, changed = count(config, **dense), count(config, **dense, **values)
    assert (sign(changed.params - base.params), sign(changed.macs - base.macs)) == expected


def sign(difference: int) -> int:
    return (difference > 0) - (difference < 0)


def test_cost_of_global_attention() -> None:
    """Products of all tokens of four tasks with all of them, in the interaction and in the queries."""
    config, tokens = 'demt/demt_hrnet18_nyud.py', 4 * 107 * 140
    near, far = count(config), count(config, **{'neck.attention': 'global'})
    pooled = count(config, **{'neck.attention': 'global', 'neck.kv_stride': 4})
    assert near.macs == near.macs_without_attention
    assert far.macs - far.macs_without_attention == 4 * 128 * tokens**2
    assert pooled.macs - pooled.macs_without_attention == 4 * 128 * tokens * 4 * 27 * 35


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
