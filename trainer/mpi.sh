#!/usr/bin/env bash
# Whether the trainer's feature `mpi` can be built and tested here: Open MPI and libclang. As root on Debian and Ubuntu, installs them.
set -uo pipefail

found() { command -v mpicc >/dev/null && command -v mpirun >/dev/null && compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null; }

found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    { apt-get update -q && apt-get install -y -q --no-install-recommends libopenmpi-dev openmpi-bin libclang-dev; } >/dev/null 2>&1
fi
found
