#!/bin/bash
# A host of the platform: sshd, keepalived, and on mail2 a Docker Engine of its own. HOST is mail1 or mail2.
set -eu

install --mode=700 --directory /root/.ssh /run/sshd
install --mode=600 "/state/ssh/host/$HOST" /etc/ssh/ssh_host_ed25519_key
install --mode=600 /state/ssh/id_ed25519.pub /root/.ssh/authorized_keys
for user in ops guest; do
    install --owner="$user" --group="$user" --mode=700 --directory "/home/$user/.ssh"
    install --owner="$user" --group="$user" --mode=600 /state/ssh/id_ed25519.pub "/home/$user/.ssh/authorized_keys"
done
cp /lab/host/sshd.conf /etc/ssh/sshd_config.d/lab.conf

if [ "$OWN_ENGINE" = yes ]; then
    rm -f /run/docker.pid /run/docker/containerd/containerd.pid
    # Its containers share this host's network, so it needs neither bridges nor rules.
    dockerd --bridge=none --iptables=false --ip6tables=false >>/var/log/dockerd.log 2>&1 &
    until [ -S /run/docker.sock ]; do sleep 0.1; done
fi
# ops may use Docker, guest may not. The group of the socket is whatever the machine that made it says.
socket_group=$(stat --format=%g /var/run/docker.sock)
getent group "$socket_group" >/dev/null || groupadd --gid "$socket_group" engine
usermod --append --groups "$(getent group "$socket_group" | cut -d: -f1)" ops

# What a published port would do on a real host: the platform's ports answer at the host's address, and at the VIP.
for forward in $FORWARDS; do
    socat "TCP-LISTEN:${forward%%:*},fork,reuseaddr" "TCP:${forward#*:},connect-timeout=5" &
done

rm -f /run/keepalived.pid /run/vrrp.pid /run/keepalived/*.pid
cp "/lab/host/keepalived-$HOST.conf" /etc/keepalived/keepalived.conf
touch /var/log/keepalived.log
/lab/host/keepalived.sh start

tail --follow=name --lines=0 /var/log/keepalived.log &
exec /usr/sbin/sshd -D -e
