#!/bin/bash
# Back to the start: an empty queue, and the configuration that the container began with.
set -u
if ! diff --recursive --brief --exclude='*.db' /etc/postfix /var/lib/postfix-pristine >/dev/null 2>&1; then
    find /etc/postfix -mindepth 1 -delete
    cp --archive /var/lib/postfix-pristine/. /etc/postfix/
    postfix reload 2>/dev/null
    echo "configuration restored"
fi
if [ -n "$(find /var/spool/postfix/{incoming,active,deferred,hold,corrupt,maildrop} -type f -print -quit 2>/dev/null)" ]; then
    postsuper -d ALL 2>&1
fi
