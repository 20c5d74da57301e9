#!/bin/bash
# amavis, with SpamAssassin and ClamAV in containers of their own.
set -eu
echo mail1.example.test >/etc/mailname
cp /lab/amavis/lab.conf /etc/amavis/conf.d/60-lab
install --directory --owner=amavis --group=amavis /run/amavis /var/lib/amavis/virusmails
rm -f /run/amavis/*.pid
# Its spamd client speaks to 127.0.0.1:783 and nothing else.
socat TCP-LISTEN:783,bind=127.0.0.1,fork,reuseaddr TCP:spamassassin:783,connect-timeout=5 &
exec amavisd foreground
