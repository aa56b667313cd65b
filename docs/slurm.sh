#!/usr/bin/env bash
# Trains on two nodes: sbatch docs/slurm.sh, in the folder of the project.
#SBATCH --job-name=balanced-gan
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=02:00:00
# After a node that failed, the job goes on from the newest checkpoint.
#SBATCH --requeue
set -euo pipefail

worker() {
    addresses=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed 's/.*/"&:2222"/' | paste -sd, -)
    export TF_CONFIG="{\"cluster\": {\"worker\": [$addresses]},
        \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
    .venv/bin/python train.py --path faces/ --batch_size 32 --minutes 110
}
export -f worker
srun --kill-on-bad-exit=1 bash -c worker
