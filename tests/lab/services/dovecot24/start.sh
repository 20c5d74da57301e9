#!/bin/bash
# Dovecot 2.4: the same users, from a file; it takes no part in the mail flow.
set -eu
cp /lab/dovecot24/dovecot.conf /etc/dovecot/dovecot.conf
for user in alice bob carol; do echo "$user@example.test:{PLAIN}${user}pw"; done >/etc/dovecot/users
chown vmail:vmail /var/vmail
exec dovecot -F
