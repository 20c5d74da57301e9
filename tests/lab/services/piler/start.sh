#!/bin/bash
# The archive: a receiver that does to the database, the index and the disk what Piler does.
set -eu
install --directory --owner=piler /var/piler/{tmp/0,tmp/1,store/00,error,stat,run}
ln -sf /lab/piler/pilerstats.py /usr/local/bin/pilerstats
install --directory /etc/piler
install --mode=640 --group=piler /lab/piler/piler.conf /etc/piler/piler.conf
export PYTHONPATH=/lab/shared
exec python3 -u /lab/piler/piler.py
