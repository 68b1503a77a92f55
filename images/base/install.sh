#!/bin/sh
# Installs Python where the base image has none, makes the virtual environment and the user that everything runs as.
set -eu
if ! command -v python3.11 >/dev/null; then
    apt-get update -q
    grep -v '^#' /run/rootfs/packages.txt | xargs apt-get install -y -q --no-install-recommends
    rm -rf /var/lib/apt/lists/*
fi
python3.11 -m venv /opt/venv
groupadd --gid 65532 trainingrun
useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin trainingrun
