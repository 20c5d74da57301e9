#!/bin/bash
# The only resolver of intranet-net. Names of containers are A records here as well, because Docker's own DNS forgets
# a stopped container, and Postfix would then bounce mail for it instead of waiting.
set -eu
exec dnsmasq --no-daemon --conf-file=/lab/dns/dnsmasq.conf
