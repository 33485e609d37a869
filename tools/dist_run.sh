#!/usr/bin/env bash
# Starts the ranks of dist_train.sh and dist_test.sh by torchrun: dist_run.sh SCRIPT CONFIG PROCESSES [arguments]
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: tools/dist_train.sh CONFIG PROCESSES [options]" >&2; exit 2; }
script=$1 config=$2 processes=$3
shift 3
case $processes in
    '' | *[!0-9]* | 0) echo "error: PROCESSES must be a positive number, but is '$processes'" >&2; exit 2 ;;
esac
nodes=${NNODES:-${SLURM_NNODES:-1}}
node_rank=${NODE_RANK:-${SLURM_NODEID:-0}}
address=${MASTER_ADDR:-}
if [ -z "$address" ]; then
    address=127.0.0.1
    [ "$nodes" = 1 ] || address=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
fi
python=${PYTHON:-$(command -v python || command -v python3)}
exec "$python" -m torch.distributed.run --nnodes "$nodes" --node-rank "$node_rank" --nproc-per-node "$processes" \
    --master-addr "$address" --master-port "${MASTER_PORT:-29500}" \
    "$(dirname "$0")/$script" "$config" "$@" --launcher pytorch
