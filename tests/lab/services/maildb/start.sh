#!/bin/bash
# MariaDB: ROLE is primary or replica. The schema is written once, by the primary, and reaches the replica as events:
# an --init-file would be written to the binary log again at every start.
set -eu
datadir=/var/lib/mysql
install --directory --owner=mysql --group=mysql /run/mysqld
[ -d "$datadir/mysql" ] || mariadb-install-db --user=mysql --datadir="$datadir" >/dev/null

mariadbd --defaults-file="/lab/maildb/$ROLE.cnf" --user=mysql &
server=$!
trap 'kill -TERM "$server"; wait "$server"' TERM INT

if [ ! -e "$datadir/lab-ready" ]; then
    until mariadb-admin --silent ping 2>/dev/null; do sleep 0.1; done
    mariadb <"/lab/maildb/$ROLE.sql"
    touch "$datadir/lab-ready"
fi
wait "$server"
