#!/bin/bash
# Other people's machines: mail servers for every foreign domain, and addresses for strangers to knock from.
set -eu
for last in $(seq 61 69); do ip address replace "172.28.0.$last/24" dev eth0; done
export PYTHONPATH=/lab/shared
exec python3 -u /lab/remote/remote.py
