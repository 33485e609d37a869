#!/usr/bin/env bash
# Train under Slurm, on and on until it is done:
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=4] [SRUN_ARGS=...] tools/slurm_train.sh PARTITION JOB CONFIG [options of tools/train.py]
# GPUS is the number of processes; with GPUS_PER_NODE=0 no GPU is asked for, and NODES spreads them over nodes.
# A run that ends with exit code 75 was told to stop and has written a checkpoint. It goes on from there (--resume): in a
# batch job (sbatch) the job is put into the queue again, else srun asks for a new allocation. For a time limit, let
# Slurm tell the run in time: SRUN_ARGS="--time=60 --signal=USR1@120", or "#SBATCH --signal=USR1@120".
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: tools/slurm_train.sh PARTITION JOB CONFIG [options]" >&2; exit 2; }
run=$(dirname "$0")/slurm_run.sh
resume=()
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || resume=(--resume)
while :; do
    code=0
    "$run" train.py "$@" ${resume[@]+"${resume[@]}"} || code=$?
    [ "$code" = 75 ] || exit "$code"
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "slurm_train.sh: stopped at a checkpoint; puts job $SLURM_JOB_ID into the queue again" >&2
        scontrol requeue "$SLURM_JOB_ID" || echo "slurm_train.sh: it could not be requeued; go on with --resume" >&2
        exit 75 # Slurm ends this script by itself; a job that was not requeued must not look finished
    fi
    sleep "${RESUBMIT_SECONDS:-5}" # until Slurm knows how the job ended
    state=$(squeue --states=all --user="$(id -un)" --name="$2" --sort=-i --noheader --format=%T | sed -n 1p)
    if [ "$state" = CANCELLED ]; then
        echo "slurm_train.sh: stopped at a checkpoint by scancel; go on with --resume" >&2
        exit 75
    fi
    echo "slurm_train.sh: stopped at a checkpoint; goes on with --resume" >&2
    resume=(--resume)
done
