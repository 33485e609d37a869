#!/usr/bin/env bash
# Train under Slurm:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=4] [SRUN_ARGS=...] tools/slurm_train.sh PARTITION JOB CONFIG [options of tools/train.py]
# GPUS is the number of processes; with GPUS_PER_NODE=0 no GPU is asked for, and NODES spreads them over nodes.
exec "$(dirname "$0")/slurm_run.sh" train.py "$@"
