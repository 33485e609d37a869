#!/usr/bin/env bash
# Starts the ranks of dist_train.sh and dist_test.sh by torchrun: dist_run.sh SCRIPT CONFIG PROCESSES [arguments]
# Under srun (one task per node) the nodes, this node's rank and the first one's address are Slurm's.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: tools/dist_train.sh CONFIG PROCESSES [options]" >&2; exit 2; }
script=$1 config=$2 processes=$3
shift 3
case $processes in
    '' | *[!0-9]* | 0) echo "error: PROCESSES must be a positive number, but is '$processes'" >&2; exit 2 ;;
esac
advice="start one task per node: srun --ntasks-per-node=1 --kill-on-bad-exit=1 tools/dist_train.sh CONFIG PROCESSES"
if [ -z "${NNODES:-}" ] && [ -n "${SLURM_STEP_NUM_NODES:-}" ]; then
    if [ "$SLURM_STEP_NUM_TASKS" != "$SLURM_STEP_NUM_NODES" ]; then
        echo "error: srun started $SLURM_STEP_NUM_TASKS tasks on $SLURM_STEP_NUM_NODES nodes; $advice" >&2
        exit 2
    fi
    NNODES=$SLURM_STEP_NUM_NODES NODE_RANK=$SLURM_NODEID
    [ -n "${MASTER_ADDR:-}" ] || MASTER_ADDR=$(scontrol show hostnames "$SLURM_STEP_NODELIST" | sed -n 1p)
elif [ -z "${NNODES:-}" ] && [ "${SLURM_NNODES:-1}" -gt 1 ]; then
    echo "error: the allocation has $SLURM_NNODES nodes; $advice (or set NNODES=1 to use this one only)" >&2
    exit 2
fi
port=${MASTER_PORT:-29500}
[ -n "${MASTER_PORT:-}" ] || [ -z "${SLURM_JOB_ID:-}" ] || port=$((12000 + SLURM_JOB_ID % 20000)) # two jobs may share a node
python=${PYTHON:-$(command -v python || command -v python3)}
exec "$python" -m torch.distributed.run --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" \
    --nproc-per-node "$processes" --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "$port" \
    "$(dirname "$0")/$script" "$config" "$@" --launcher pytorch
