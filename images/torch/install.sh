#!/bin/sh
# Installs torch and, after the build argument CUDA, what comes with it; see Containerfile.
set -eu
here=/run/torch
site=/opt/venv/lib/python3.11/site-packages

install() {
    python -m pip install --quiet --no-cache-dir --no-compile --no-deps "$@"
}

case "$CUDA" in
full)
    install -r $here/requirements.txt -r $here/requirements-cuda.txt -r $here/requirements-gpu.txt
    apt-get update -q
    apt-get install -y -q --no-install-recommends gcc libc6-dev python3.11-dev
    rm -rf /var/lib/apt/lists/*
    ;;
import)
    install -r $here/requirements.txt -r $here/requirements-cuda.txt
    grep -v '^#' $here/needless-on-cpu.txt | while read -r pattern; do
        # Unquoted, as it is a pattern.
        rm -rf $site/$pattern
    done
    python $here/hollow.py $site/nvidia 8000000
    ;;
none)
    install -r $here/requirements.txt
    ;;
*)
    echo "CUDA is full, import or none, not $CUDA." >&2
    exit 1
    ;;
esac
python -c 'import torch, transformers'
# All processors compile; pip would use one. Some packages have templates that are no Python, hence the last words.
python -m compileall -q -j 0 $site >/dev/null || true
