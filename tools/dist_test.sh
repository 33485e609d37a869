#!/usr/bin/env bash
# Evaluate a checkpoint on several GPUs (or CPU processes):
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
[ $# -ge 3 ] || { echo "usage: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options]" >&2; exit 2; }
exec "$(dirname "$0")/dist_run.sh" test.py "$1" "$3" "$2" "${@:4}"
