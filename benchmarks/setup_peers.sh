#!/usr/bin/env bash
# Make the environments of the peers under .bench/, one each.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv .bench/keras-jax
.bench/keras-jax/bin/python -m pip install --quiet keras==3.15.1 jax
