#!/usr/bin/env bash
# Train on several GPUs (or CPU processes) of this machine, or of each node of a Slurm allocation:
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Several nodes by hand: NNODES=2 NODE_RANK=0 MASTER_ADDR=host MASTER_PORT=29500 tools/dist_train.sh ...
exec "$(dirname "$0")/dist_run.sh" train.py "${@:1}"
