#!/bin/bash
# spamd on the network; Bayes, TxRep and preferences live in the database.
set -eu
cp /lab/spamassassin/lab.cf /etc/spamassassin/90-lab.cf
exec spamd --local --nouser-config --listen=0.0.0.0:783 --allowed-ips=127.0.0.1,172.28.0.0/24 \
    --username=debian-spamd --groupname=debian-spamd --helper-home-dir=/var/lib/spamassassin \
    --max-children=3 --min-children=1 --allow-tell --syslog=stderr
