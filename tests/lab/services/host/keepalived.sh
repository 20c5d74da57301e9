#!/bin/bash
# keepalived.sh start|stop: what systemd would do. Its log is /var/log/keepalived.log.
set -eu
case $1 in
start)
    rm -f /run/keepalived.pid /run/vrrp.pid
    setsid keepalived --vrrp --dont-fork --log-console --log-detail >>/var/log/keepalived.log 2>&1 </dev/null &
    ;;
stop)
    [ ! -e /run/keepalived.pid ] || kill -TERM "$(cat /run/keepalived.pid)"
    ;;
esac
