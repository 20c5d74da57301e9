#!/bin/bash
# Dovecot 2.3: mailboxes in /var/vmail, users from MariaDB, SASL for Postfix over TCP.
set -eu
cp /lab/dovecot/dovecot.conf /lab/dovecot/dovecot-sql.conf.ext /etc/dovecot/
chown vmail:vmail /var/vmail
exec dovecot -F
