#!/usr/bin/env bash
# Evaluate a checkpoint under Slurm, with the variables of slurm_train.sh:
#   tools/slurm_test.sh PARTITION JOB CONFIG CHECKPOINT [options of tools/test.py]
exec "$(dirname "$0")/slurm_run.sh" test.py "$@"
