#!/usr/bin/env bash
# Make the environments of the peers, one each: benchmarks/setup_peers.sh [keras-jax] [keras-tf] [keras-torch]
# They go to .bench/ beside this folder (or to $BENCH), made with $PYTHON (or python3).
# Plain PyTorch runs in keras-torch. The torch that pip finds by itself for Linux is the build for NVIDIA cards, a few
# gigabytes; PyTorch's own pages name the index of the small one, which goes into PIP_EXTRA_INDEX_URL.
# The rows of KerasHub are timed where it is installed: pip install keras-hub grain, in the peers and beside cornu.
set -euo pipefail
cd "$(dirname "$0")/.."
bench=${BENCH:-.bench}
python=${PYTHON:-python3}

declare -A packages=(
    [keras-jax]="keras==3.15.1 jax"
    [keras-tf]="keras==3.15.1 tensorflow-cpu"
    [keras-torch]="keras==3.15.1 torch==2.13.0"
)

[ $# -gt 0 ] || set -- keras-jax keras-tf keras-torch
for peer in "$@"; do
    [ -n "${packages[$peer]:-}" ] || { echo "unknown peer: $peer (one of ${!packages[*]})" >&2; exit 2; }
    [ -x "$bench/$peer/bin/python" ] || "$python" -m venv "$bench/$peer"
    # shellcheck disable=SC2086  # several packages
    "$bench/$peer/bin/python" -m pip install --quiet ${packages[$peer]}
    echo "$peer: $("$bench/$peer/bin/python" -m pip list 2>/dev/null \
        | awk '/^(keras|jax|tensorflow_cpu|tensorflow-cpu|torch) /{printf "%s %s  ", $1, $2}')"
done
