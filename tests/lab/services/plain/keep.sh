#!/bin/bash
# keep.sh KEEPER: from now on Postfix's log is kept by maillog_file, rsyslog (RFC 3339), traditional (rsyslog with the
# old stamps), busybox or journald. What was kept before is thrown away; Postfix is started anew. rsyslog and journald
# write /var/log/everything too, which nobody rotates: the truth for tests of what they throw away.
set -u
keeper=$1

postfix stop 2>/dev/null
for daemon in rsyslogd busybox systemd-journal; do
    while pkill -x "$daemon"; do sleep 0.05; done
done
pkill -x journalctl
rm -rf /var/log/mail.log* /var/log/everything /run/log/journal /run/systemd/journal /run/rsyslogd.pid /dev/log
postconf -e 'maillog_file ='

case $keeper in
maillog_file)
    postconf -e 'maillog_file = /var/log/mail.log'
    ;;
rsyslog | traditional)
    template=RSYSLOG_FileFormat
    [ "$keeper" = traditional ] && template=RSYSLOG_TraditionalFileFormat
    cat >/etc/rsyslog.conf <<END
module(load="imuxsock")
\$SystemLogRateLimitInterval 0
mail.* action(type="omfile" file="/var/log/mail.log" template="$template"
    fileGroup="adm" fileCreateMode="0640")
mail.* action(type="omfile" file="/var/log/everything" template="$template")
END
    rsyslogd -i /run/rsyslogd.pid
    ;;
busybox)
    busybox syslogd -O /var/log/mail.log </dev/null >/dev/null 2>&1
    ;;
journald)
    install --directory --group=systemd-journal --mode=2755 /run/log/journal
    mkdir -p /run/systemd/journal /etc/systemd/journald.conf.d
    printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxUse=%s\nRuntimeMaxFileSize=%s\n' \
        "${JOURNAL_MAX:-64M}" "${JOURNAL_FILE:-8M}" >/etc/systemd/journald.conf.d/lab.conf
    setsid /lib/systemd/systemd-journald </dev/null >/dev/null 2>&1 &
    while [ ! -S /run/systemd/journal/dev-log ]; do sleep 0.05; done
    ln -sf /run/systemd/journal/dev-log /dev/log
    setsid journalctl --quiet --follow --lines=all --output=json SYSLOG_FACILITY=2 \
        </dev/null >/var/log/everything 2>/dev/null &
    ;;
esac
while [ "$keeper" != maillog_file ] && [ ! -e /dev/log ]; do sleep 0.05; done
cp /lab/plain/logrotate.conf /etc/logrotate.conf
postfix start 2>/dev/null
