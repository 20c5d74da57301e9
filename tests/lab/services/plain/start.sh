#!/bin/bash
# A host without Docker: sshd, a Postfix of its own that needs no other host, and a keeper of its log (keep.sh).
set -eu

touch /etc/postfix/main.cf
echo mail3.example.test >/etc/mailname
postconf -e 'compatibility_level = 3.6' 'myhostname = mail3.example.test' 'mydestination = localhost' \
    'mynetworks = 127.0.0.0/8 172.28.0.1/32' 'inet_protocols = ipv4' 'alias_maps =' 'alias_database =' \
    'local_recipient_maps =' 'biff = no' 'enable_long_queue_ids = yes' \
    'relay_domains = sent.test late.test never.test' \
    'transport_maps = inline:{ { sent.test = discard:gone } { late.test = smtp:[127.0.0.1]:9 } { never.test = smtp:[127.0.0.1]:25 } }' \
    'smtpd_recipient_restrictions = reject_unauth_destination' 'smtpd_client_connection_rate_limit = 0' \
    'smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination' 'smtp_bind_address ='
postconf -F '*/*/chroot = n'

install --mode=700 --directory /root/.ssh /run/sshd
install --mode=600 /state/ssh/id_ed25519.pub /root/.ssh/authorized_keys
for user in guest reader; do
    install --owner="$user" --group="$user" --mode=700 --directory "/home/$user/.ssh"
    install --owner="$user" --group="$user" --mode=600 /state/ssh/id_ed25519.pub "/home/$user/.ssh/authorized_keys"
done
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
cp /lab/host/sshd.conf /etc/ssh/sshd_config.d/lab.conf
usermod --append --groups systemd-journal reader
systemd-machine-id-setup >/dev/null

if [ "${KEEPER:-}" = stdout ]; then
    postconf -e 'maillog_file = /dev/stdout'
    exec postfix start-fg
fi
/lab/plain/keep.sh "${KEEPER:-maillog_file}"
exec /usr/sbin/sshd -D -e
