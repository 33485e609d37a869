"""What the Runner sets up: determinism, the process group, wrappers."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import read_checkpoint
from mtlbox.engine.dist import init_dist
from mtlbox.engine.fsdp import FSDP

ROOT = Path(__file__).parents[2]
SMALL = [
    'train_dataloader.dataset.length=6',
    'train_dataloader.batch_size=2',
    'train_dataloader.dataset.size=(32,64)',
    'val_dataloader.dataset.length=2',
    'val_dataloader.dataset.size=(32,64)',
    'val_dataloader.num_workers=0',
    'val_dataloader.persistent_workers=False',
    'model.neck.feature_size=(8,16)',
]


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    cfg = load_config(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py')
    cfg.work_dir, cfg.experiment_name, cfg.visualizer = str(tmp_path), tmp_path.name, None
    return cfg


class TestDeterministic:
    def test_sets_everything_that_torch_has(self, cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG', raising=False)
        cfg.randomness.deterministic = cfg.env_cfg.cudnn_benchmark = True
        try:
            build_runner(cfg)
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark
            assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
        finally:
            torch.use_deterministic_algorithms(False)
            torch.backends.cudnn.deterministic = False

    @pytest.mark.slow
    def test_two_processes_train_to_the_same_bits(self, tmp_path: Path) -> None:
        """CTAL with augmentation, a worker process and the average of the weights."""
        command = [sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / 'configs/ctal/ctal_hrnet18_rooms.py')]
        environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
        started = [
            subprocess.Popen(
                [*command, '--deterministic', '--work-dir', str(tmp_path / name), '--cfg-options', *SMALL],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=(tmp_path / f'{name}.log').open('w'),
            )
            for name in 'ab'
        ]
        codes = [process.wait(timeout=300) for process in started]
        assert codes == [0, 0], (tmp_path / 'a.log').read_text()[-2000:]
        first, second = (torch.load(tmp_path / name / 'epoch_1.pth', weights_only=True) for name in 'ab')
        for part in ('state_dict', 'ema_state_dict'):
            for name, value in first[part].items():
                assert value.equal(second[part][name]), name
        for index, slots in first['optimizer']['state'].items():
            assert all(value.equal(second['optimizer']['state'][index][name]) for name, value in slots.items())


class TestInitDist:
    def test_timeout_must_be_positive(self) -> None:
        with pytest.raises(ValueError, match=r'env_cfg\.dist_cfg\.timeout must be a positive number of seconds, .* 0'):
            init_dist('pytorch', timeout=0)

    def test_the_runner_passes_the_configs_timeout(self, cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        cfg.launcher, cfg.env_cfg.dist_cfg.timeout = 'pytorch', -3
        with pytest.raises(ValueError, match=r'timeout must be .* is -3'):
            build_runner(cfg)

    def test_slurm_ports_differ_by_job(self, monkeypatch: pytest.MonkeyPatch) -> None:
        joined = []
        monkeypatch.setattr('torch.distributed.init_process_group', lambda *_, **__: joined.append(dict(os.environ)))
        for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT'):
            monkeypatch.setenv(name, '')
            monkeypatch.delenv(name)
        slurm = dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1', SLURM_JOB_ID='20042', MASTER_ADDR='n1')
        for name, value in slurm.items():
            monkeypatch.setenv(name, value)
        init_dist('slurm')
        (environment,) = joined
        assert [environment[k] for k in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT')] == ['3', '4', '1', '12042']


class TestFSDP:
    def test_refuses_a_hook_that_copies_the_model(self, cfg: Config) -> None:
        runner = build_runner(cfg)
        runner._distributed = True
        with pytest.raises(ValueError, match=r'EMAHook needs a copy of the whole model\. Leave it out: custom_hooks ='):
            runner.wrap_model(dict(type='FSDP'), torch.nn.Linear(2, 2))

    def test_needs_torch_2_6(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr('mtlbox.engine.fsdp._AVAILABLE', False)
        with pytest.raises(ImportError, match=r"model_wrapper_cfg=dict\(type='FSDP'\) needs torch 2\.6"):
            FSDP(torch.nn.Linear(2, 2))

    def test_refuses_weights_of_another_layout(self) -> None:
        model = torch.nn.Linear(2, 2)
        model.channels_last = True  # type: ignore[assignment]
        with pytest.raises(ValueError, match=r'is FSDP, which flattens the weights that channels_last'):
            FSDP(model)

    def test_one_process_trains_without_it(self, cfg: Config) -> None:
        cfg.model_wrapper_cfg = dict(type='FSDP')
        assert not isinstance(build_runner(cfg).model, FSDP)


def test_runs_that_start_in_one_second_share_nothing(cfg: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('mmengine.runner.runner.time.time', lambda: 1_700_000_000.0)
    one, other = build_runner(cfg), build_runner(cfg)
    assert one.experiment_name != other.experiment_name
    assert one.message_hub is not other.message_hub and one.logger is not other.logger
    assert Path(one.log_dir) != Path(other.log_dir)


def test_checkpoints_are_plain_whatever_hooks_a_config_has(cfg: Config, tmp_path: Path) -> None:
    cfg.merge_from_dict({'custom_hooks': [], **_options(SMALL[:-1])})
    build_runner(cfg).train()
    assert 'optimizer' in read_checkpoint(tmp_path / 'epoch_1.pth')


def _options(pairs: list[str]) -> dict[str, Any]:
    return {key: ast.literal_eval(value) for key, value in (pair.split('=') for pair in pairs)}


def test_networks_of_stl_are_clipped_each_alone(cfg: Config) -> None:
    cfg.model.type = 'STL'
    cfg.optim_wrapper.clip_grad = dict(max_norm=2.0)
    runner = build_runner(cfg)
    wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    networks = runner.model.networks
    for factor, network in enumerate(networks.values(), start=1):
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, float(factor))
    wrapper._clip_grad()
    for network in networks.values():
        norm = torch.stack([parameter.grad.norm() for parameter in network.parameters()]).norm()
        assert norm.item() == pytest.approx(2.0, rel=1e-3)
