#!/bin/bash
# The full-text index of the archive: Sphinx with the RT table piler1, over the MySQL protocol.
set -eu
mkdir -p /var/lib/manticore
exec searchd --console --config /lab/manticore/sphinx.conf
