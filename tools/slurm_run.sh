#!/usr/bin/env bash
# Starts the ranks of slurm_train.sh and slurm_test.sh by srun: slurm_run.sh SCRIPT PARTITION JOB CONFIG [arguments]
# Once a rank has ended, the others have WAIT seconds (60) to end too: time to stop in good order together, and an end
# to a run in which one was killed.
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: tools/slurm_train.sh PARTITION JOB CONFIG [options]" >&2; exit 2; }
script=$1 partition=$2 job=$3
shift 3
tasks=${GPUS:-8}
per_node=${GPUS_PER_NODE:-8}
[ "$tasks" -ge "$per_node" ] || per_node=$tasks
request=(--partition="$partition" --job-name="$job" --ntasks="$tasks" --cpus-per-task="${CPUS_PER_TASK:-4}")
request+=(--kill-on-bad-exit=0 --wait="${WAIT:-60}")
if [ "$per_node" -gt 0 ]; then
    request+=(--gres="gpu:$per_node" --ntasks-per-node="$per_node")
elif [ -n "${NODES:-}" ]; then
    request+=(--nodes="$NODES")
fi
python=${PYTHON:-$(command -v python || command -v python3)}
# shellcheck disable=SC2086
exec srun "${request[@]}" ${SRUN_ARGS:-} "$python" -u "$(dirname "$0")/$script" "$@" --launcher slurm
