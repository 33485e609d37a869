import pytest
import torch
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from torch import nn

from mtlbox.models import STL, MultiTaskModel
from mtlbox.models.heads import TaskHead
from mtlbox.models.necks import TaskNeck
from mtlbox.registry import BACKBONES, HEADS, MODELS, NECKS, UnknownComponentError
from mtlbox.structures import Auxiliary, MTLDataSample, NeckOutput
from mtlbox.tasks import build_tasks

TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 4},
    'depth': {'type': 'Depth'},
    'normals': {'type': 'Normals'},
}
LOSSES = {
    'semseg': {'type': 'CrossEntropyLoss'},
    'depth': {'type': 'L1Loss'},
    'normals': [{'type': 'CosineLoss'}, {'type': 'L1Loss', 'normalize': True, 'loss_weight': 0.5}],
}


@BACKBONES.register_module()
class ModelTestBackbone(nn.Module):
    """Two maps at 1/2 and 1/4."""

    def __init__(self, *, width=6, per_task=()):
        super().__init__()
        self.per_task = per_task
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.stage = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x):
        fine = self.stem(x).tanh()
        features = fine, self.stage(fine).tanh()
        return {key: features[0] * (i + 1) for i, key in enumerate(self.per_task)} if self.per_task else features


class ModelTestBlock(BaseModule):
    """A block that draws its weights anew where it is asked to, as those of mmcv and mmpretrain do."""

    def __init__(self):
        super().__init__(init_cfg={'type': 'Constant', 'layer': 'Conv2d', 'val': 9.0})
        self.conv = nn.Conv2d(12, 12, 1)

    def forward(self, x):
        return self.conv(x)


@BACKBONES.register_module()
class ModelTestPretrained(BaseModule):
    """One map at 1/2, with an initialisation."""

    def __init__(self, *, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.stages = nn.ModuleList([nn.Sequential(ModelTestBlock())])

    def forward(self, x):
        return self.stages[0](self.stem(x))


@HEADS.register_module()
class ModelTestHead(TaskHead):
    """One 1x1 convolution."""

    def __init__(self, *, task, losses, in_channels=12):
        super().__init__(task=task, losses=losses)
        self.predictor = nn.Conv2d(in_channels, task.channels, 1)

    def forward(self, features):
        return self.predictor(features)


@NECKS.register_module()
class ModelTestNeck(TaskNeck):
    """One map for all tasks, auxiliaries as given, and a loss of its own."""

    def __init__(self, *, tasks, auxiliaries=(), own=None):
        super().__init__(tasks=tasks)
        self.auxiliaries, self.own = auxiliaries, own
        self.first = nn.ModuleDict({key: nn.Conv2d(6, task.channels, 1) for key, task in tasks.items()})

    def forward(self, features, data_samples=None):
        fused = features[0] + nn.functional.interpolate(features[1], size=features[0].shape[-2:])
        made = [Auxiliary(logits=self.first[settings['task']](fused), **settings) for settings in self.auxiliaries]
        losses = {} if self.own is None else {'loss_contrast': self.own * fused.square().mean()}
        return NeckOutput(features=dict.fromkeys(self.tasks, fused), auxiliaries=made, losses=losses)


def build(kind='MultiTaskModel', **settings):
    torch.manual_seed(0)
    config = {
        'type': kind,
        'tasks': TASKS,
        'backbone': {'type': 'ModelTestBackbone'},
        'neck': {'type': 'PyramidConcat'},
        'heads': {'type': 'ModelTestHead'},
        'losses': LOSSES,
    }
    return MODELS.build({**config, **settings})


def build_with_neck(heads=None, auxiliary_heads=None, **neck):
    return build(
        neck={'type': 'ModelTestNeck', **neck},
        heads=heads or {'type': 'ModelTestHead', 'in_channels': 6},
        auxiliary_heads=auxiliary_heads,
    )


def make_batch(sizes=((8, 8), (8, 8)), without=(), seed=0):
    """A batch as the loader gives it; sample i lacks the labels of the tasks in ``without[i]``."""
    generator = torch.Generator().manual_seed(seed)
    tasks, inputs, samples = build_tasks(TASKS), [], []
    for i, (height, width) in enumerate(sizes):
        inputs.append(torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator))
        normals = torch.randn(3, height, width, generator=generator)
        maps = {
            'semseg': torch.randint(0, 4, (1, height, width), generator=generator),
            'depth': 1 + torch.rand(1, height, width, generator=generator),
            'normals': normals / normals.norm(dim=0),
        }
        labelled = {key: key not in (without[i] if without else ()) for key in tasks}
        for key, task in tasks.items():
            if not labelled[key]:
                maps[key] = task.pack(task.empty((height, width)))
        sample = MTLDataSample(metainfo={'sample_idx': i, 'ori_shape': (height, width), 'img_shape': (height, width)})
        sample.set_maps('gt', maps, labelled)
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}


def run(model, mode, batch, training=True):
    return model(**model.data_preprocessor(batch, training), mode=mode)


class TestModes:
    def test_tensor(self):
        logits = run(build(), 'tensor', make_batch())
        assert {key: tuple(value.shape) for key, value in logits.items()} == {
            'semseg': (2, 4, 4, 4),
            'depth': (2, 1, 4, 4),
            'normals': (2, 3, 4, 4),
        }

    def test_loss(self):
        losses = run(build(), 'loss', make_batch())
        assert set(losses) == {
            'semseg/loss_ce',
            'depth/loss_l1',
            'normals/loss_cosine',
            'normals/loss_l1',
            'semseg/labelled',
            'depth/labelled',
            'normals/labelled',
        }
        assert all(value.ndim == 0 and value.isfinite() for value in losses.values())

    def test_loss_is_taken_at_the_labels_size(self):
        model, batch = build(), make_batch()
        logits = nn.functional.interpolate(run(model, 'tensor', batch)['semseg'], size=(8, 8), mode='bilinear')
        target = torch.stack([sample.map('gt', 'semseg')[0] for sample in batch['data_samples']])
        torch.testing.assert_close(
            run(model, 'loss', batch)['semseg/loss_ce'], nn.functional.cross_entropy(logits, target)
        )

    def test_predict(self):
        samples = run(build(), 'predict', make_batch(), training=False)
        for sample in samples:
            assert sample.map('pred', 'semseg').shape == (1, 8, 8) and sample.map('pred', 'semseg').dtype == torch.long
            assert sample.map('pred', 'depth').shape == (1, 8, 8)
            torch.testing.assert_close(sample.map('pred', 'normals').norm(dim=0), torch.ones(8, 8))
            assert sample.map('gt', 'depth').shape == (1, 8, 8)

    def test_default_mode_is_tensor(self):
        model = build()
        assert set(model(torch.zeros(1, 3, 8, 8))) == set(TASKS)

    def test_unknown_mode(self):
        with pytest.raises(ValueError, match="mode must be 'loss', 'step', 'predict' or 'tensor', but is 'train'"):
            build()(torch.zeros(1, 3, 8, 8), mode='train')

    @pytest.mark.parametrize('mode', ['loss', 'predict'])
    def test_samples_are_needed(self, mode):
        with pytest.raises(ValueError, match=f"The mode '{mode}' needs data_samples"):
            build()(torch.zeros(1, 3, 8, 8), mode=mode)


class TestPredictSizes:
    """Images of different sizes are padded into one batch and predicted at their own sizes."""

    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    def test_each_at_its_own_size(self, kind):
        sizes = [(8, 12), (16, 8), (5, 7)]
        for sample, size in zip(run(build(kind), 'predict', make_batch(sizes), training=False), sizes):
            assert {key: sample.map('pred', key).shape[-2:] for key in TASKS} == dict.fromkeys(TASKS, size)

    def test_padding_is_cut_off(self):
        """A head that shows the image itself: the prediction is the image, not the padding."""
        model = build(tasks={'depth': TASKS['depth']}, losses={'depth': LOSSES['depth']})
        model.backbone = nn.Identity()
        model.neck, model.heads['depth'].predictor = None, nn.Identity()
        model.extract = lambda inputs, samples=None: NeckOutput(features={'depth': inputs[:, :1]})
        batch = make_batch([(8, 12), (16, 6)])
        samples = run(model, 'predict', batch, training=False)
        for image, sample in zip(batch['inputs'], samples):
            expected = (image[:1] - model.data_preprocessor.mean[:1]) / model.data_preprocessor.std[:1]
            torch.testing.assert_close(sample.map('pred', 'depth'), expected)

    def test_resized_images_are_predicted_at_the_files_size(self):
        batch = make_batch([(8, 8), (8, 8)])
        batch['data_samples'][0].set_metainfo({'ori_shape': (30, 20)})
        first, second = run(build(), 'predict', batch, training=False)
        assert first.map('pred', 'normals').shape == (3, 30, 20) and second.map('pred', 'normals').shape == (3, 8, 8)
        torch.testing.assert_close(first.map('pred', 'normals').norm(dim=0), torch.ones(30, 20))


class TestParseLosses:
    def parse(self, weighting, losses):
        model = build(weighting=weighting)
        return model.parse_losses({key: torch.tensor(value) for key, value in losses.items()})

    def test_sums_what_the_weighting_returns_and_logs_the_rest(self):
        total, logs = self.parse(
            {'type': 'FixedWeighting', 'weights': {'depth': 10.0}},
            {
                'semseg/loss_ce': 1.0,
                'depth/loss_l1': 2.0,
                'normals/loss_cosine': 3.0,
                'normals/loss_l1': 4.0,
                'neck/loss_contrast': 0.5,
                'semseg/labelled': 100.0,
                'depth/labelled': 100.0,
                'normals/labelled': 100.0,
            },
        )
        assert total.item() == 1 + 20 + 3 + 4 + 0.5
        assert {key: value.item() for key, value in logs.items()} == {
            'loss': 28.5,
            'semseg/loss_ce': 1.0,
            'depth/loss_l1': 2.0,
            'normals/loss_cosine': 3.0,
            'normals/loss_l1': 4.0,
            'neck/loss_contrast': 0.5,
        }

    def test_weights_are_logged_and_not_added(self):
        losses = {f'{key}/loss_x': 1.0 for key in TASKS} | {f'{key}/labelled': 1.0 for key in TASKS}
        total, logs = self.parse({'type': 'UncertaintyWeighting'}, losses)
        assert total.item() == 1 + 0.5 + 0.5
        assert {key: logs[f'{key}/weight'].item() for key in TASKS} == {'semseg': 1.0, 'depth': 0.5, 'normals': 0.5}

    def test_a_weighting_may_return_anything(self):
        class Largest(nn.Module):
            def forward(self, losses, labelled):
                return max(losses.values()), {'loss_of_interest': torch.tensor(77.0)}

        total, logs = self.parse(Largest(), {f'{key}/loss_x': i + 1.0 for i, key in enumerate(TASKS)})
        assert total.item() == 3 and logs['loss_of_interest'] == 77


class TestAuxiliaries:
    def test_weight_is_a_factor(self):
        auxiliary = {'task': 'depth', 'name': 'initial'}
        plain = run(build_with_neck(auxiliaries=[auxiliary]), 'loss', make_batch())
        weighted = run(build_with_neck(auxiliaries=[{**auxiliary, 'weight': 0.25}]), 'loss', make_batch())
        assert set(plain) - set(run(build_with_neck(), 'loss', make_batch())) == {'depth/loss_initial_l1'}
        torch.testing.assert_close(weighted['depth/loss_initial_l1'], 0.25 * plain['depth/loss_initial_l1'])
        torch.testing.assert_close(weighted['depth/loss_l1'], plain['depth/loss_l1'])

    def test_counts_in_its_tasks_loss(self):
        model = build_with_neck(auxiliaries=[{'task': 'depth', 'name': 'initial'}])
        losses = run(model, 'loss', make_batch())
        total, _ = model.parse_losses(losses)
        torch.testing.assert_close(total, sum(value for key, value in losses.items() if 'loss' in key))
        total.backward()
        assert model.neck.first['depth'].weight.grad.abs().sum() > 0

    def test_head_of_its_own(self):
        """The auxiliary head brings other losses; its forward pass is not used."""
        model = build_with_neck(
            auxiliaries=[{'task': 'normals', 'name': 'early', 'head': 'plain_l1'}],
            auxiliary_heads={
                'plain_l1': {
                    'type': 'ModelTestHead',
                    'task': 'normals',
                    'losses': {'type': 'L1Loss', 'normalize': True},
                }
            },
        )
        losses = run(model, 'loss', make_batch())
        assert [key for key in losses if 'early' in key] == ['normals/loss_early_l1']

    def test_unknown_head(self):
        model = build_with_neck(auxiliaries=[{'task': 'depth', 'name': 'a', 'head': 'nothing'}])
        with pytest.raises(ValueError, match="asks for the auxiliary head 'nothing'; auxiliary_heads has none"):
            run(model, 'loss', make_batch())

    def test_auxiliary_head_of_no_task(self):
        with pytest.raises(ValueError, match=r"auxiliary_heads\['x'\]\.task names 'dept'.*Did you mean 'depth'"):
            build_with_neck(auxiliary_heads={'x': {'type': 'ModelTestHead', 'task': 'dept', 'losses': LOSSES['depth']}})

    def test_one_name_twice(self):
        model = build_with_neck(auxiliaries=[{'task': 'depth', 'name': 'a'}, {'task': 'depth', 'name': 'a'}])
        with pytest.raises(ValueError, match="two auxiliaries 'a' of the task 'depth'"):
            run(model, 'loss', make_batch())

    def test_neck_losses_are_added_as_they_are(self):
        batch = make_batch()
        model = build_with_neck(own=3.0)
        losses = run(model, 'loss', batch)
        total, logs = model.parse_losses(losses)
        without, _ = build_with_neck(own=None).parse_losses(run(build_with_neck(own=None), 'loss', batch))
        torch.testing.assert_close(total - without, losses['neck/loss_contrast'])
        assert logs['neck/loss_contrast'] == losses['neck/loss_contrast'] > 0

    def test_prediction_needs_no_labels_of_them(self):
        model = build_with_neck(auxiliaries=[{'task': 'depth', 'name': 'a', 'head': 'nothing'}])
        assert len(run(model, 'predict', make_batch(), training=False)) == 2


class TestMissingLabels:
    @pytest.mark.parametrize('weighting', ['FixedWeighting', 'UncertaintyWeighting'])
    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    def test_all_unlabelled(self, kind, weighting):
        model = build(kind, weighting={'type': weighting})
        losses = run(model, 'loss', make_batch(without=[list(TASKS)] * 2))
        total, logs = model.parse_losses(losses)
        total.backward()
        assert total.item() == 0 and all(value.isfinite() for value in logs.values())
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert not parameter.grad.any(), name

    def test_all_unlabelled_with_auxiliaries(self):
        model = build_with_neck(auxiliaries=[{'task': key, 'name': 'initial'} for key in TASKS])
        total, _ = model.parse_losses(run(model, 'loss', make_batch(without=[list(TASKS)] * 2)))
        total.backward()
        assert total.item() == 0
        assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())

    def test_one_sample_without_one_task(self):
        """The loss of the task is that of the other sample; the other tasks are as before."""
        full, part = make_batch(), make_batch(without=[(), ('depth',)])
        model = build()
        losses = run(model, 'loss', part)
        assert losses['depth/labelled'] == 0.5 and losses['semseg/labelled'] == 1
        alone = {'inputs': full['inputs'][:1], 'data_samples': full['data_samples'][:1]}
        torch.testing.assert_close(losses['depth/loss_l1'], run(model, 'loss', alone)['depth/loss_l1'])
        torch.testing.assert_close(losses['semseg/loss_ce'], run(model, 'loss', full)['semseg/loss_ce'])

    def test_each_sample_lacks_something_else(self):
        model = build(weighting={'type': 'UncertaintyWeighting'})
        batch = make_batch([(8, 8)] * 3, without=[('semseg',), ('depth', 'normals'), ('normals',)])
        total, _ = model.parse_losses(run(model, 'loss', batch))
        total.backward()
        assert total.isfinite() and all(parameter.grad.isfinite().all() for parameter in model.parameters())

    def test_train_step_leaves_weights_of_an_unlabelled_batch(self):
        model = build()
        before = {key: value.clone() for key, value in model.state_dict().items()}
        logs = model.train_step(
            make_batch(without=[list(TASKS)] * 2), OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
        )
        assert logs['loss'] == 0
        assert all(value.equal(before[key]) for key, value in model.state_dict().items())


class TestBuild:
    def test_without_a_neck_heads_read_the_backbone(self):
        model = build(
            neck=None,
            backbone={'type': 'ModelTestBackbone', 'per_task': list(TASKS)},
            heads={'type': 'ModelTestHead', 'in_channels': 6},
        )
        assert set(run(model, 'tensor', make_batch())) == set(TASKS)

    def test_one_head_per_task(self):
        head = {'type': 'ModelTestHead'}
        bottleneck = {'type': 'BottleneckHead', 'in_channels': 12, 'mid_channels': 2}
        model = build(heads={'semseg': head, 'depth': bottleneck, 'normals': head})
        assert [type(model.heads[key]).__name__ for key in TASKS] == [
            'ModelTestHead',
            'BottleneckHead',
            'ModelTestHead',
        ]

    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    @pytest.mark.parametrize('what', ['heads', 'losses'])
    def test_task_without_a_head_or_loss(self, kind, what):
        given = {key: {'type': 'ModelTestHead'} if what == 'heads' else LOSSES[key] for key in ('semseg', 'depth')}
        with pytest.raises(ValueError, match=f"{what} has nothing for the task 'normals'; it names semseg, depth"):
            build(kind, **{what: given})

    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    def test_head_of_no_task(self, kind):
        heads = {key: {'type': 'ModelTestHead'} for key in ('semseg', 'depth', 'normals', 'normls')}
        with pytest.raises(ValueError, match="heads names 'normls', which is not a task"):
            build(kind, heads=heads)

    def test_part_in_the_wrong_role(self):
        with pytest.raises(
            UnknownComponentError, match="'PyramidConcat' is a registered neck, but a backbone is asked"
        ):
            build(backbone={'type': 'PyramidConcat'})

    def test_two_losses_of_one_name(self):
        with pytest.raises(ValueError, match=r"Two losses of 'depth' have one name: \['l1', 'l1'\]"):
            build(losses={**LOSSES, 'depth': [{'type': 'L1Loss'}, {'type': 'L1Loss'}]})

    def test_the_config_is_left_as_it_was(self):
        auxiliary = {'x': {'type': 'ModelTestHead', 'task': 'depth', 'losses': {'type': 'L1Loss'}}}
        build(auxiliary_heads=auxiliary)
        assert auxiliary == {'x': {'type': 'ModelTestHead', 'task': 'depth', 'losses': {'type': 'L1Loss'}}}

    def test_preprocessor_settings(self):
        model = build(data_preprocessor={'mean': (0, 0, 0), 'std': (255, 255, 255)})
        assert model.data_preprocessor(make_batch())['inputs'].max() <= 1


class TestSTL:
    @pytest.fixture
    def stl(self):
        return build('STL')

    def test_equals_its_parts(self, stl):
        batch = make_batch()
        losses, logits = run(stl, 'loss', batch), run(stl, 'tensor', batch)
        for key in TASKS:
            alone = build(tasks={key: TASKS[key]}, losses={key: LOSSES[key]})
            alone.load_state_dict(stl.networks[key].state_dict())
            torch.testing.assert_close(run(alone, 'tensor', batch)[key], logits[key])
            for name, value in run(alone, 'loss', batch).items():
                torch.testing.assert_close(losses[name], value)

    def test_networks_share_nothing(self, stl):
        parameters = [id(p) for network in stl.networks.values() for p in network.parameters()]
        assert len(parameters) == len(set(parameters)) == len(list(stl.parameters()))
        weights = [network.backbone.stem.weight for network in stl.networks.values()]
        assert not weights[0].equal(weights[1])

    @pytest.mark.parametrize('task', list(TASKS))
    def test_a_tasks_loss_moves_its_network_alone(self, stl, task):
        losses = run(stl, 'loss', make_batch())
        sum(value for key, value in losses.items() if key.startswith(f'{task}/loss')).backward()
        for key, network in stl.networks.items():
            moved = [p.grad is not None and bool(p.grad.any()) for p in network.parameters()]
            assert all(moved) if key == task else not any(moved)

    def test_is_registered(self, stl):
        assert isinstance(stl, STL) and isinstance(stl.networks['depth'], MultiTaskModel)
        assert set(run(stl, 'predict', make_batch(), training=False)[0].pred.keys()) == set(TASKS)


@pytest.mark.parametrize('model', [STL, MultiTaskModel])
def test_every_backbone_gets_its_pretrained_weights(model, tmp_path):
    source = ModelTestPretrained()
    torch.save(source.state_dict(), tmp_path / 'weights.pth')
    init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'weights.pth')}
    built = model(
        tasks=TASKS,
        backbone={'type': 'ModelTestPretrained', 'init_cfg': init_cfg},
        heads={'type': 'ModelTestHead'},
        losses=LOSSES,
    )
    built.init_weights()
    backbones = [module for module in built.modules() if isinstance(module, ModelTestPretrained)]
    assert len(backbones) == (3 if model is STL else 1)
    for backbone in backbones:
        torch.testing.assert_close(backbone.state_dict(), source.state_dict())


@pytest.mark.parametrize('model', [STL, MultiTaskModel])
def test_weights_of_the_whole_model_come_last(model, tmp_path):
    def build(**settings):
        return model(
            tasks=TASKS,
            backbone={'type': 'ModelTestPretrained', **settings},
            heads={'type': 'ModelTestHead'},
            losses=LOSSES,
        )

    source = build()
    torch.save(source.state_dict(), tmp_path / 'whole.pth')
    built = build(init_cfg={'type': 'Constant', 'layer': 'Conv2d', 'val': 0.5})
    built.init_cfg = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'whole.pth')}
    built.init_weights()
    torch.testing.assert_close(built.state_dict(), source.state_dict())


def test_parts_in_containers_are_initialised():
    built = STL(
        tasks=TASKS,
        backbone={'type': 'ModelTestPretrained', 'init_cfg': {'type': 'Constant', 'layer': 'Conv2d', 'val': 0.5}},
        heads={'type': 'ModelTestHead'},
        losses=LOSSES,
    )
    built.init_weights()
    assert all((network.backbone.stem.weight == 0.5).all() for network in built.networks.values())


class TestSkipUnlabelled:
    """Tasks that no image of the batch has a label for."""

    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    def test_the_rest_is_as_it_was(self, kind):
        batch = make_batch(without=[['depth'], ['depth']])
        plain, skipping = (run(build(kind, skip_unlabelled=skip), 'loss', batch) for skip in (False, True))
        assert set(plain) - set(skipping) == {'depth/loss_l1'}
        assert all(torch.equal(value, plain[name]) for name, value in skipping.items())

    @pytest.mark.parametrize('kind', ['MultiTaskModel', 'STL'])
    def test_their_branch_is_not_run(self, kind):
        model = build(kind, skip_unlabelled=True)
        head = model.heads['depth'] if kind == 'MultiTaskModel' else model.networks['depth'].heads['depth']
        calls = []
        head.register_forward_hook(lambda *args: calls.append(args))
        run(model, 'loss', make_batch(without=[['depth'], ['depth']]))
        assert not calls
        run(model, 'loss', make_batch())
        assert len(calls) == 1

    def test_one_labelled_image_is_enough(self):
        losses = run(build(skip_unlabelled=True), 'loss', make_batch(without=[['depth'], []]))
        assert losses['depth/loss_l1'] > 0

    def test_nothing_labelled_is_all_of_them(self):
        losses = run(build(skip_unlabelled=True), 'loss', make_batch(without=[list(TASKS)] * 2))
        assert {name.split('/')[0] for name in losses if '/loss' in name} == set(TASKS)

    def test_their_auxiliaries_are_left_out(self):
        settings = {'neck': {'type': 'ModelTestNeck', 'auxiliaries': [
            {'task': 'depth', 'name': 'initial'}, {'task': 'semseg', 'name': 'initial'}
        ]}, 'heads': {'type': 'ModelTestHead', 'in_channels': 6}}  # fmt: skip
        losses = run(build(skip_unlabelled=True, **settings), 'loss', make_batch(without=[['depth'], ['depth']]))
        assert 'semseg/loss_initial_ce' in losses and not any(name.startswith('depth/loss') for name in losses)

    @pytest.mark.parametrize('weighting', ['FixedWeighting', 'UncertaintyWeighting'])
    def test_adamw_leaves_their_weights_alone(self, weighting):
        model = build(skip_unlabelled=True, weighting={'type': weighting})
        before = {name: value.clone() for name, value in model.named_parameters()}
        wrapper = OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1))
        model.train_step(make_batch(), wrapper)
        between = {name: value.clone() for name, value in model.named_parameters()}
        model.train_step(make_batch(without=[['depth'], ['depth']]), wrapper)
        moved = {name for name, value in model.named_parameters() if not value.equal(between[name])}
        own = {name for name in before if '.depth' in name}
        assert own and moved == set(before) - own

    def test_a_step_is_the_parsed_losses(self):
        model, batch = build(), make_batch()
        total, logs = run(model, 'step', batch)
        expected, expected_logs = model.parse_losses(run(model, 'loss', batch))
        assert torch.equal(total, expected) and logs == expected_logs


def test_single_task_networks_keep_the_losses_of_their_necks():
    neck = {'type': 'ModelTestNeck', 'own': 0.5}
    heads = {'type': 'ModelTestHead', 'in_channels': 6}
    losses = run(build('STL', neck=neck, heads=heads), 'loss', make_batch())
    assert {name for name in losses if name.startswith('neck/')} == {f'neck/{key}_loss_contrast' for key in TASKS}


def test_channels_last_compiles():
    torch.compiler.reset()
    plain, model = build(), build(channels_last=True)
    run = torch.compile(model, backend='aot_eager', dynamic=False)
    expected, _ = plain.parse_losses(plain(**plain.data_preprocessor(make_batch(), True), mode='loss'))
    total, _ = model.parse_losses(run(**model.data_preprocessor(make_batch(), True), mode='loss'))
    expected.backward()
    total.backward()
    torch.testing.assert_close(total, expected)
    weight = model.backbone.stage.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    for mine, other in zip(model.parameters(), plain.parameters()):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-5)
