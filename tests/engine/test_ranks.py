"""Two gloo ranks beside one process: norms of all kinds, missing labels, FSDP, DeepSpeed, an infinite loss."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.dist]


def load_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location('ranks', Path(__file__).with_name('ranks.py'))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ranks = load_program()


class Outcomes:
    """What two ranks made of each scenario, and one process."""

    def __init__(self, two: Path, one: Path) -> None:
        self.folder, self._alone = two, one

    def of(self, name: str) -> list[dict[str, Any]]:
        return [torch.load(self.folder / f'{name}.{rank}.pt', weights_only=True) for rank in range(2)]

    def alone(self, name: str) -> dict[str, Any]:
        return ranks.SCENARIOS[name](self._alone)


@pytest.fixture(scope='module')
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp('two')
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    started = ranks.start(folder, *ranks.SCENARIOS)
    try:
        codes = [process.wait(timeout=300) for process in started]
    finally:
        for process in started:
            process.kill()
        torch.set_num_threads(threads)
    assert codes == [0, 0], (folder / '0.log').read_text()[-3000:] + (folder / '1.log').read_text()[-3000:]
    return Outcomes(folder, tmp_path_factory.mktemp('one'))


def assert_equal_weights(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], atol: float) -> None:
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(state[name], value, rtol=1e-4, atol=atol)


@pytest.mark.parametrize(
    'name', ['group_norm', 'norm_eval', 'one_sided', 'skipped', 'joint', 'contrast_bank', 'contrast_batch']
)
def test_two_ranks_equal_one_process_with_the_doubled_batch(outcomes: Outcomes, name: str) -> None:
    """Uneven labels, clipping; with frozen batch norm, accumulation; all labels of a task on one rank, or nowhere; two
    data sets."""
    expected, (first, second) = outcomes.alone(name), outcomes.of(name)
    moved = [k for k, v in expected['state'].items() if v.is_floating_point() and not v.equal(torch.zeros_like(v))]
    assert len(moved) > 50
    for mine, other in zip(first['steps'], second['steps']):
        assert mine == other, 'the log of one rank is not that of all'
    assert len(first['steps']) == len(expected['steps']) == 6
    for mine, one in zip(first['steps'], expected['steps']):
        assert mine == pytest.approx(one, rel=1e-5, abs=1e-5)
    assert_equal_weights(first['state'], expected['state'], atol=1e-4)
    assert_equal_weights(second['state'], first['state'], atol=0)


def test_ranks_have_one_memory(outcomes: Outcomes) -> None:
    """Six steps of four images: each of the twelve images was seen twice, half of them by either rank."""
    first, second = (outcome['state'] for outcome in outcomes.of('contrast_bank'))
    assert first['neck.contrast.draws'].item() == 6
    assert (first['neck.contrast.partition'] > 0).all()
    for name in ('bank', 'partition', 'seed'):
        assert first[f'neck.contrast.{name}'].equal(second[f'neck.contrast.{name}']), name
    for kind in ('bank', 'batch'):
        assert all(step['neck/loss_contrast'] > 0 for step in outcomes.of(f'contrast_{kind}')[0]['steps'])


def test_a_task_without_labels_is_nought_and_does_not_drag(outcomes: Outcomes) -> None:
    first, _ = outcomes.of('one_sided')
    assert all(step['depth/loss_l1'] == 0 for step in first['steps'])
    assert all(step['normals/loss_cosine'] > 0 for step in first['steps'])
    assert first['state']['weighting.log_variance.depth'].item() == 0
    assert first['state']['weighting.log_variance.normals'].item() != 0


def test_a_task_that_is_left_out_stays_as_it_was(outcomes: Outcomes) -> None:
    for outcome in outcomes.of('skipped'):
        assert not any(key.startswith('depth/') for step in outcome['steps'] for key in step)
        branches = {key.split('.')[1] for key in outcome['moved'] if key.startswith('heads.')}
        assert branches == {'semseg', 'normals'}
        assert outcome['state']['weighting.log_variance.depth'].item() == 0
    assert any(key.startswith('heads.depth.') for key in outcomes.of('group_norm')[0]['moved'])


def test_ranks_draw_one_data_set_a_step_and_move_its_branches_alone(outcomes: Outcomes) -> None:
    first, second = outcomes.of('joint')
    tasks = [{key.split('/')[0] for key in step if '/loss_' in key} - {'neck'} for step in first['steps']]
    scenes, people = {'semseg', 'depth', 'normals'}, {'human_parts', 'saliency', 'normals'}
    assert all(found == scenes for found in tasks[0::2])
    assert all(found <= people and 'saliency' in found for found in tasks[1::2])  # a batch may be without a person
    assert first['scores'] == second['scores']
    assert {key.split('/')[0] for key in first['scores']} == {'scenes', 'people'}
    alone = outcomes.alone('joint')
    assert alone['scores'] == pytest.approx(first['scores'], rel=1e-3, abs=1e-3, nan_ok=True)
    for outcome in (*outcomes.of('joint_first_step'), outcomes.alone('joint_first_step')):
        branches = {key.split('.')[1] for key in outcome['moved'] if key.startswith(('heads.', 'weighting.'))}
        assert branches == {'semseg', 'depth', 'normals', 'log_variance'}
        weights = {key for key in outcome['moved'] if key.startswith('weighting.')}
        assert weights == {f'weighting.log_variance.{task}' for task in scenes}
        assert any(key.startswith('backbone.') for key in outcome['moved'])


def test_live_batch_norm_keeps_replicas_and_scores_equal(outcomes: Outcomes, tmp_path: Path) -> None:
    first, second = outcomes.of('live_batch_norm')
    assert first['scores'] == second['scores'] and len(first['scores']) == 17
    for name, value in first['state'].items():
        assert value.equal(second['state'][name]), name
    assert not first['state']['backbone.bn1.running_mean'].equal(torch.zeros(64))
    average = read_checkpoint(outcomes.folder / 'live_batch_norm' / 'ema.pth')['state_dict']
    assert average['backbone.bn1.running_mean'].equal(first['state']['backbone.bn1.running_mean'])  # of both ranks
    assert not average['backbone.bn1.weight'].equal(first['state']['backbone.bn1.weight'])
    runner = build_runner(ranks.config(tmp_path, 'alone', norm=None))
    runner.model.load_state_dict(first['state'])
    scores = runner.val()  # 5 images: two ranks see 3 each, one of them twice
    assert scores == pytest.approx(first['scores'], rel=1e-5)


def test_a_run_goes_on_with_weights_in_another_layout(outcomes: Outcomes) -> None:
    plain, (first, second) = outcomes.of('group_norm')[0], outcomes.of('channels_last')
    for mine, step in zip(first['steps'], plain['steps']):
        assert mine == pytest.approx(step, rel=1e-5, abs=1e-5)
    assert_equal_weights(first['state'], plain['state'], atol=1e-4)
    assert_equal_weights(second['state'], first['state'], atol=0)
    for epoch, is_last in ((1, True), (2, False)):
        checkpoint = read_checkpoint(outcomes.folder / 'channels_last' / f'epoch_{epoch}.pth')
        kernel = checkpoint['state_dict']['backbone.conv2.weight']
        slots = [slots['momentum_buffer'] for slots in checkpoint['optimizer']['state'].values()]
        momenta = [x for x in slots if x.shape == kernel.shape]
        assert momenta
        for x in (kernel, checkpoint['ema_state_dict']['module.backbone.conv2.weight'], *momenta):
            assert x.is_contiguous(memory_format=torch.channels_last) is is_last is not x.is_contiguous()


@pytest.mark.parametrize('name', ['fsdp', 'fsdp_from_plain'])
def test_fsdp_trains_saves_and_resumes_to_the_weights_of_a_plain_run(outcomes: Outcomes, name: str) -> None:
    plain, (first, second) = outcomes.of('group_norm')[0], outcomes.of(name)
    assert len(first['steps']) == 6
    for sharded, step in zip(first['steps'], plain['steps']):
        assert sharded == pytest.approx(step, rel=1e-5, abs=1e-5)
    assert_equal_weights(first['state'], plain['state'], atol=1e-4)
    assert_equal_weights(second['state'], first['state'], atol=0)


needs_deepspeed = pytest.mark.skipif(
    'zero' not in ranks.SCENARIOS, reason='deepspeed is not installed; `make test-deepspeed` installs it'
)


@needs_deepspeed
@pytest.mark.parametrize('name', ['zero', 'zero_from_plain', 'plain_from_zero'])
def test_deepspeed_trains_saves_and_resumes_to_the_weights_of_a_plain_run(outcomes: Outcomes, name: str) -> None:
    plain, (first, second) = outcomes.of('group_norm')[0], outcomes.of(name)
    assert len(first['steps']) == 6
    for divided, step in zip(first['steps'], plain['steps']):
        assert divided == pytest.approx(step, rel=1e-5, abs=1e-5)
    assert_equal_weights(first['state'], plain['state'], atol=1e-4)
    assert_equal_weights(second['state'], first['state'], atol=0)


@needs_deepspeed
def test_deepspeed_accumulates_and_clips_as_a_plain_run(outcomes: Outcomes) -> None:
    assert_equal_weights(
        outcomes.of('zero_accumulation')[0]['state'], outcomes.of('accumulation')[0]['state'], atol=1e-6
    )


def test_fsdp_writes_checkpoints_of_a_plain_run(outcomes: Outcomes, tmp_path: Path) -> None:
    path = outcomes.folder / 'fsdp' / 'epoch_2.pth'
    checkpoint, trained = read_checkpoint(path), outcomes.of('fsdp')[0]['state']
    runner = build_runner(ranks.config(tmp_path, 'alone'))
    runner.load_checkpoint(str(path))
    for name, value in runner.model.state_dict().items():
        assert value.equal(trained[name]), name
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    wrapper.load_state_dict(checkpoint['optimizer'])
    momenta = [wrapper.optimizer.state[p]['momentum_buffer'] for p in runner.model.parameters() if p.requires_grad]
    assert [m.shape for m in momenta] == [p.shape for p in runner.model.parameters()]


def test_a_loss_that_is_infinite_on_one_rank_stops_all(outcomes: Outcomes) -> None:
    for rank, outcome in enumerate(outcomes.of('poisoned')):
        expected = 'The loss is inf at iteration 3 (epoch 1): depth/loss_l1 is inf (of depth).'
        assert outcome['message'].startswith(expected)
        assert 'nonfinite_iter_3' in outcome['message']
        dump = outcome['dump']
        assert (dump['rank'], dump['world_size'], dump['iter']) == (rank, 2, 2)
        assert_equal_weights(dump['state_dict'], outcome['before'], atol=0)
        assert [s['meta']['sample_idx'] for s in dump['batch']['data_samples']] == [8 + rank, 10 + rank]


def test_its_step_is_repeated_to_the_last_bit(outcomes: Outcomes) -> None:
    first, second, alone = *outcomes.of('poisoned'), outcomes.alone('poisoned')
    for outcome in (first, second, alone):
        assert outcome['losses'] == outcome['dump']['losses']
        assert outcome['losses']['semseg/loss_ce'] > 0 and outcome['losses']['depth/loss_l1'] == float('inf')
        assert len(outcome['dump']['optimizer']['state']) > 50
    assert first['culprits'] == [], 'it is the batch of the second rank that is at fault'
    assert second['culprits'] == alone['culprits'] == ['heads.depth.losses.0']


def test_the_tool_repeats_it(outcomes: Outcomes, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    alone = ranks.SCENARIOS['poisoned'](tmp_path)
    config, replay_step = str(tmp_path / 'poisoned' / 'mtl_hrnet18_rooms.py'), ranks.tool('replay_step')
    assert replay_step.main([config, str(tmp_path / 'poisoned' / 'nonfinite_iter_3')]) == 0
    printed = capsys.readouterr().out
    value = alone['losses']['semseg/loss_ce']
    assert f'semseg/loss_ce {value!r} recorded {value!r} same' in printed and 'DIFFERENT' not in printed
    assert 'not finite: the output of heads.depth.losses.0' in printed
    with pytest.raises(SystemExit):
        replay_step.main([config, str(outcomes.folder / 'poisoned' / 'nonfinite_iter_3')])
    assert 'is of a step of 2 ranks, but 1 are here. Start it by torchrun' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        replay_step.main([config, str(outcomes.folder / 'fsdp' / 'epoch_2.pth')])
    assert 'epoch_2.pth is no dump of a step' in capsys.readouterr().err
