import copy
import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mtlbox.config import ConfigError, config_hash, config_text, load_config
from mtlbox.registry import UnknownComponentError

CONFIG = """
tasks = dict(semseg=dict(type='SemSeg', num_classes=13), depth=dict(type='Depth'))
data_root = 'data/a'
width = 12
pipeline = [dict(type='RandomFlip', prob=0.5), dict(type='PackMultiTaskInputs')]
model = dict(
    type='MultiTaskModel',
    tasks=tasks,
    backbone=dict(type='HRNet', arch='w18-small-v2', init_cfg=None),
    neck=dict(type='PyramidConcat'),
    heads=dict(type='HighResolutionHead', in_channels=270),
    losses=dict(semseg=dict(type='CrossEntropyLoss'), depth=[dict(type='L1Loss', loss_weight=0.5)]),
    weighting=dict(type='FixedWeighting'),
)
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='NYUv2', data_root=data_root, tasks=tasks, pipeline=pipeline),
)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(type='value', clip_value=1.0)
)
param_scheduler = [dict(type='LinearLR', start_factor=0.1, end=5), dict(type='CosineAnnealingLR', T_max=4)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
default_hooks = dict(logger=dict(type='LoggerHook', interval=20))
"""

EDGE = ("depth=dict(type='Depth'))", "depth=dict(type='Depth'), edge=dict(type='Edge', sigma=1.0))")


@pytest.fixture
def load(tmp_path):
    """Load ``CONFIG`` with some of its text replaced or appended, and options."""

    def load(*edits, more='', options=None):
        text = CONFIG
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / 'exp.py').write_text(text + more)
        return load_config(tmp_path / 'exp.py', options)

    return load


class TestFile:
    def test_missing_names_what_is_near(self, tmp_path):
        (tmp_path / 'ctal_rooms.py').write_text('')
        with pytest.raises(
            FileNotFoundError, match=r'There is no config file .*ctal_room\.py\. Did you mean .*ctal_rooms\.py'
        ):
            load_config(tmp_path / 'ctal_room.py')
        with pytest.raises(FileNotFoundError, match='There is no config file'):
            load_config(tmp_path / 'nowhere' / 'a.py')

    def test_good_one_is_read_as_it_is(self, load):
        cfg = load()
        assert cfg.model.heads.in_channels == 270 and cfg.train_dataloader.dataset.data_root == 'data/a'

    @pytest.mark.parametrize(
        'path', sorted((Path(__file__).parents[2] / 'configs').glob('[!_]*/*.py')), ids=lambda p: p.stem
    )
    def test_every_config_of_the_package(self, path):
        assert load_config(path, {'channels_last': True}).model.type

    def test_the_runtime_stands_beside_a_base_with_the_model(self, tmp_path):
        (tmp_path / 'model.py').write_text("model = dict(type='MultiTaskModel')\n")
        runtime = Path(__file__).parents[2] / 'configs/_base_/default_runtime.py'
        (tmp_path / 'config.py').write_text(f"_base_ = ['model.py', {str(runtime)!r}]\n")
        assert Config.fromfile(tmp_path / 'config.py').model == {'type': 'MultiTaskModel'}

    def test_hash_follows_the_content(self, load):
        first, same, other = config_hash(load()), config_hash(load()), config_hash(load(('lr=0.1', 'lr=0.2')))
        assert first == same != other and len(first) == 12

    def test_text_follows_the_content(self, load):
        cfg = load()
        first = config_text(cfg)
        assert first == cfg.pretty_text == config_text(load())
        cfg.work_dir = 'elsewhere'
        assert config_text(cfg) == cfg.pretty_text != first


class TestComponents:
    @pytest.mark.parametrize(
        ('edit', 'message'),
        [
            (("type='HRNet',", "type='HRNet', depht=3,"), r"exp\.py: model\.backbone: HRNet has no argument 'depht'"),
            (
                ('in_channels=270', 'in_channel=270'),
                r"model\.heads: HighResolutionHead has no argument 'in_channel'\. Did you mean 'in_channels'",
            ),
            (
                ('loss_weight=0.5', 'weight=0.5'),
                r"model\.losses\.depth\.0: L1Loss has no argument 'weight'\. Did you mean 'loss_weight'",
            ),
            (
                ('num_classes=13)', 'num_clases=13)'),
                r"model\.tasks\.semseg: SemSeg has no argument 'num_clases'\. Did you mean 'num_classes'",
            ),
            (
                ("type='NYUv2',", "type='NYUv2', spilt='train',"),
                r"train_dataloader\.dataset: NYUv2 has no argument 'spilt'\. Did you mean 'split'",
            ),
            (('prob=0.5', 'p=0.5'), r"dataset\.pipeline\.0: RandomFlip has no argument 'p'"),
            (('lr=0.1)', 'lrr=0.1)'), r"optim_wrapper\.optimizer: SGD has no argument 'lrr'\. Did you mean 'lr'"),
            (('start_factor', 'start_faktor'), r"param_scheduler\.0: LinearLR has no argument 'start_faktor'"),
            (
                ('interval=20', 'intervall=20'),
                r"default_hooks\.logger: LoggerHook has no argument 'intervall'\. Did you mean 'interval'",
            ),
            (
                ('    weighting=dict', '    weightings=dict'),
                r"model: MultiTaskModel has no argument 'weightings'\. Did you mean 'weighting'",
            ),
        ],
    )
    def test_unknown_argument(self, load, edit, message):
        with pytest.raises(ConfigError, match=message):
            load(edit)

    @pytest.mark.parametrize(
        ('edit', 'message'),
        [
            (
                ('PyramidConcat', 'PyramidConca'),
                r"exp\.py: model\.neck: 'PyramidConca' is not a registered neck\. Nearest: 'PyramidConcat'",
            ),
            (('PyramidConcat', 'L1Loss'), r"model\.neck: 'L1Loss' is a registered loss, but a neck is asked for"),
            (("type='Depth'", "type='Deepth'"), r"tasks\.depth: 'Deepth' is not a registered task\. Nearest: 'Depth'"),
            (
                ('RandomFlip', 'RandomFlips'),
                r"pipeline\.0: 'RandomFlips' is not a registered transform\. Nearest: 'RandomFlip'",
            ),
            (('DefaultSampler', 'DefaultSample'), r"sampler: 'DefaultSample' is not a registered data sampler"),
            (('LoggerHook', 'LogerHook'), r"default_hooks\.logger: 'LogerHook' is not a registered hook"),
            (("type='SGD'", "type='SGDD'"), r"optim_wrapper\.optimizer: 'SGDD' is not a registered optimizer"),
        ],
    )
    def test_unknown_component(self, load, edit, message):
        with pytest.raises(UnknownComponentError, match=message):
            load(edit)

    def test_what_other_libraries_resolve_is_known_too(self, load):
        load(('in_channels=270', "in_channels=270, norm_cfg=dict(type='SyncBN', requires_grad=False, eps=1e-3)"))
        load(('init_cfg=None', "init_cfg=dict(type='Pretrained', checkpoint='x.pth')"))
        load(('init_cfg=None', "init_cfg=[dict(type='Kaiming', layer='Conv2d', bias=0, override=dict(name='a'))]"))

    def test_parts_of_foreign_components_are_theirs(self, load):
        pytest.importorskip('mmpretrain')
        swin = "type='mmpretrain.SwinTransformerV2', arch='tiny', stage_cfgs=dict(type='Unknown', nonsense=1)"
        cfg = load(("type='HRNet', arch='w18-small-v2'", swin))
        assert cfg.model.backbone.stage_cfgs.nonsense == 1
        with pytest.raises(UnknownComponentError, match=r'model\.backbone: .*SwinTransformerV9'):
            load(("type='HRNet', arch='w18-small-v2'", "type='mmpretrain.SwinTransformerV9'"))


class TestTopLevel:
    @pytest.mark.parametrize(
        ('line', 'nearest'),
        [
            ('custom_hook = []', 'custom_hooks'),
            ('val_dataloder = dict()', 'val_dataloader'),
            ("load_form = 'a.pth'", 'load_from'),
            ('randomnes = dict(seed=1)', 'randomness'),
            ('train_config = dict()', 'train_cfg'),
        ],
    )
    def test_near_misses_of_the_runners_keys(self, load, line, nearest):
        key = line.split()[0]
        with pytest.raises(ConfigError, match=rf"exp\.py: the top-level key '{key}' .* Did you mean '{nearest}'"):
            load(("train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)", ''), more=line)

    @pytest.mark.parametrize('key', ['optim_wraper', 'train_dataloder', 'default_hook'])
    def test_near_misses_of_what_a_base_config_has(self, load, key):
        with pytest.raises(ConfigError, match=f"the top-level key '{key}' has no meaning"):
            load(more=f'{key} = dict(a=1)')

    @pytest.mark.parametrize('key', ['dataloader', 'train_dataloader_nyu', 'train_pipeline', 'optim_wrapper_base'])
    def test_helpers_may_resemble_what_they_are_used_for(self, load, key):
        assert load(more=f'{key} = dict(a=1)')[key] == {'a': 1}

    def test_helper_variables_are_fine(self, load):
        cfg = load(
            more="backbone_channels = (18, 36)\nlosses = dict(a=1)\nmetrics = []\nimage_size = 3\nnames = ['x']\n"
        )
        assert cfg.backbone_channels == (18, 36)

    def test_unused_helpers_may_hold_anything(self, load):
        assert load(more="other_pipeline = [dict(type='NotThere')]\n").other_pipeline == [{'type': 'NotThere'}]


class TestOptions:
    def test_change_what_is_there(self, load):
        cfg = load(options={'model.heads.in_channels': 5, 'param_scheduler.1.T_max': 9, 'train_cfg.max_epochs': 3})
        assert cfg.model.heads.in_channels == 5 and cfg.train_cfg.max_epochs == 3
        assert [step.get('T_max') for step in cfg.param_scheduler] == [None, 9]

    @pytest.mark.parametrize(
        ('option', 'message'),
        [
            ('model.nek.gamma', r"--cfg-options model\.nek\.gamma: model has no key 'nek'\. Did you mean 'neck'"),
            ('model.neck.gamma', r"model\.neck has no key 'gamma'.*to add a key, write it into a config file"),
            ('modell.neck', r"the config has no key 'modell'\. Did you mean 'model'"),
            ('param_scheduler.2.T_max', r"param_scheduler is a list of 2, and '2' is no index"),
            ('param_scheduler.first', r"param_scheduler is a list of 2, and 'first' is no index"),
            ('train_cfg.max_epochs.x', r'train_cfg\.max_epochs is 1 and has no keys'),
        ],
    )
    def test_add_nothing(self, load, option, message):
        with pytest.raises(ConfigError, match=message):
            load(options={option: 1})

    def test_values_are_checked_too(self, load):
        with pytest.raises(UnknownComponentError, match=r"model\.neck: 'Nothing' is not a registered neck"):
            load(options={'model.neck.type': 'Nothing'})

    def test_helper_reaches_what_it_was_used_for(self, load):
        cfg = load(options={'data_root': 'data/b'})
        assert cfg.data_root == cfg.train_dataloader.dataset.data_root == 'data/b'

    def test_part_of_a_helper_reaches_all_places(self, load):
        cfg = load(EDGE, options={'tasks.edge.sigma': 2.0})
        places = (cfg.tasks, cfg.model.tasks, cfg.train_dataloader.dataset.tasks)
        assert [tasks.edge.sigma for tasks in places] == [2.0, 2.0, 2.0]
        assert [tasks.depth.type for tasks in places] == ['Depth'] * 3

    def test_a_place_that_says_otherwise_is_left(self, load):
        cfg = load(
            ('data_root=data_root', "data_root='elsewhere'"),
            more="sampler = dict(type='DefaultSampler')\n"
            "val_dataloader = dict(sampler=sampler, dataset=dict(type='NYUv2', data_root=data_root, tasks=tasks))\n",
            options={'data_root': 'data/b'},
        )
        assert (
            cfg.train_dataloader.dataset.data_root == 'elsewhere' and cfg.val_dataloader.dataset.data_root == 'data/b'
        )

    def test_helper_that_reaches_nothing_is_refused(self, load):
        with pytest.raises(
            ConfigError, match=r"--cfg-options width: 'width' is a helper variable .* no key of that name"
        ):
            load(options={'width': 13})

    def test_helper_that_does_not_change_is_fine(self, load):
        assert load(options={'width': 12}).width == 12

    def test_the_options_are_left_as_they_were(self, load):
        options = {'tasks.edge.sigma': 2.0}
        before = copy.deepcopy(options)
        load(EDGE, options=options)
        assert options == before


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        (
            "tasks = dict(\n    depth=dict(type='Depth'),\n    depth=dict(type='Depth'),\n)\n",
            'keyword argument repeated',
        ),
        (
            "tasks = {\n    'depth': dict(type='Depth'),\n    'depth': dict(type='Depth'),\n}\n",
            "line 1: the dict has the key 'depth' twice",
        ),
        ('tasks = dict(\n', 'line 1: '),
    ],
)
def test_a_key_named_twice_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / 'twice.py'
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load_config(path)


def test_options_of_the_optimizer_wrapper_that_the_runner_takes_out(tmp_path: Path) -> None:
    path = tmp_path / 'paramwise.py'
    path.write_text(
        "optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1), paramwise_cfg=dict())\n"
    )
    assert load_config(path).optim_wrapper.paramwise_cfg == {}
