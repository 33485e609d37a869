"""The shell scripts that start ranks, with stand-ins for Slurm's commands and for Python."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'
Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script of ``tools/``; ``commands`` are the bodies of stand-ins, which note their calls."""
    path = tmp_path / 'bin'
    path.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(('SLURM_', 'MASTER_', 'NNODES', 'NODE_'))}

    def start(script: str, *arguments: str, commands: dict[str, str], **variables: str) -> subprocess.CompletedProcess:
        for name, body in commands.items():
            (path / name).write_text(f'#!/usr/bin/env bash\necho "{name} $*" >>{tmp_path}/calls\n{body}\n')
            (path / name).chmod(0o755)
        variables = {'PATH': f'{path}:{os.environ["PATH"]}', 'PYTHON': 'python', 'RESUBMIT_SECONDS': '0', **variables}
        return subprocess.run(
            [str(TOOLS / script), *arguments],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return start


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / 'calls').read_text().splitlines()


STOPS_ONCE = 'case "$*" in *--resume*) exit 0 ;; *) exit 75 ;; esac'


class TestSlurmTrain:
    def test_asks_for_what_it_is_told(self, run: Run, tmp_path: Path) -> None:
        result = run(
            'slurm_train.sh', 'gpu', 'name', 'CONFIG', '--amp', commands={'srun': ''}, GPUS='16', SRUN_ARGS='--time=60'
        )
        assert result.returncode == 0
        (call,) = calls(tmp_path)
        for part in (
            '--partition=gpu',
            '--job-name=name',
            '--ntasks=16',
            '--gres=gpu:8',
            '--ntasks-per-node=8',
            '--time=60',
        ):
            assert f' {part} ' in call, part
        assert call.endswith('train.py CONFIG --amp --launcher slurm')

    def test_goes_on_after_a_stop(self, run: Run, tmp_path: Path) -> None:
        result = run('slurm_train.sh', 'p', 'name', 'CONFIG', commands={'srun': STOPS_ONCE, 'squeue': 'echo FAILED'})
        assert result.returncode == 0
        first, _, second = calls(tmp_path)
        assert '--resume' not in first and second.endswith('CONFIG --resume --launcher slurm')

    def test_stays_away_after_scancel(self, run: Run, tmp_path: Path) -> None:
        result = run('slurm_train.sh', 'p', 'name', 'CONFIG', commands={'srun': STOPS_ONCE, 'squeue': 'echo CANCELLED'})
        assert result.returncode == 75 and 'go on with --resume' in result.stderr
        assert len(calls(tmp_path)) == 2

    @pytest.mark.parametrize('code', ['1', '2', '137'])
    def test_an_error_is_not_repeated(self, run: Run, tmp_path: Path, code: str) -> None:
        result = run('slurm_train.sh', 'p', 'name', 'CONFIG', commands={'srun': f'exit {code}'})
        assert result.returncode == int(code)
        assert len(calls(tmp_path)) == 1

    def test_a_batch_job_is_put_into_the_queue_again(self, run: Run, tmp_path: Path) -> None:
        commands = {'srun': STOPS_ONCE, 'scontrol': ''}
        assert run('slurm_train.sh', 'p', 'name', 'CONFIG', commands=commands, SLURM_JOB_ID='7').returncode == 75
        assert calls(tmp_path)[1:] == ['scontrol requeue 7']
        restarted = run('slurm_train.sh', 'p', 'n', 'C', commands=commands, SLURM_JOB_ID='7', SLURM_RESTART_COUNT='1')
        assert restarted.returncode == 0 and calls(tmp_path)[2].endswith('C --resume --launcher slurm')

    def test_a_batch_job_that_cannot_be_queued_again_says_so(self, run: Run) -> None:
        result = run(
            'slurm_train.sh', 'p', 'n', 'C', commands={'srun': STOPS_ONCE, 'scontrol': 'exit 1'}, SLURM_JOB_ID='7'
        )
        assert result.returncode == 75 and 'could not be requeued; go on with --resume' in result.stderr

    def test_too_few_arguments(self, run: Run) -> None:
        assert run('slurm_train.sh', 'p', 'name', commands={}).returncode == 2


class TestDistTrain:
    STEP: ClassVar = dict(
        SLURM_JOB_ID='20003', SLURM_NNODES='2', SLURM_STEP_NUM_NODES='2', SLURM_STEP_NODELIST='n[1-2]'
    )

    def test_one_machine(self, run: Run, tmp_path: Path) -> None:
        assert run('dist_train.sh', 'CONFIG', '4', '--amp', commands={'python': ''}).returncode == 0
        (call,) = calls(tmp_path)
        assert '--nnodes 1 --node-rank 0 --nproc-per-node 4 --master-addr 127.0.0.1 --master-port 29500' in call
        assert call.endswith('train.py CONFIG --amp --launcher pytorch')

    def test_under_srun_the_nodes_are_slurms(self, run: Run, tmp_path: Path) -> None:
        commands = {'python': '', 'scontrol': 'echo n1; echo n2'}
        result = run(
            'dist_train.sh', 'C', '8', commands=commands, **self.STEP, SLURM_STEP_NUM_TASKS='2', SLURM_NODEID='1'
        )
        assert result.returncode == 0
        names, call = calls(tmp_path)
        assert names == 'scontrol show hostnames n[1-2]'
        assert '--nnodes 2 --node-rank 1 --nproc-per-node 8 --master-addr n1 --master-port 12003' in call

    @pytest.mark.parametrize(
        ('variables', 'complaint'),
        [
            ({**STEP, 'SLURM_STEP_NUM_TASKS': '16'}, 'srun started 16 tasks on 2 nodes; start one task per node'),
            ({'SLURM_JOB_ID': '1', 'SLURM_NNODES': '2'}, 'the allocation has 2 nodes; start one task per node'),
        ],
    )
    def test_a_start_that_would_wait_for_ever_is_refused(
        self, run: Run, tmp_path: Path, variables: dict[str, str], complaint: str
    ) -> None:
        result = run('dist_train.sh', 'C', '8', commands={'python': ''}, **variables)
        assert result.returncode == 2 and complaint in result.stderr
        assert not (tmp_path / 'calls').exists()

    def test_the_number_must_be_one(self, run: Run) -> None:
        result = run('dist_train.sh', 'CONFIG', 'two', commands={'python': ''})
        assert result.returncode == 2 and "must be a positive number, but is 'two'" in result.stderr
