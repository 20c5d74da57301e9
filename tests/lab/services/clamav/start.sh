#!/bin/bash
# clamd with two databases of its own: the EICAR test file, and an unsigned daily.cud that gives VERSION a date.
set -eu
/lab/clamav/signatures.py 0
install --directory --owner=clamav --group=clamav /run/clamav
exec clamd --config-file=/lab/clamav/clamd.conf
