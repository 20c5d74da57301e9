#!/bin/bash
# The reverse proxy: webmail and archive pages (stand-ins), with the certificates that Postfix and Dovecot serve too.
set -eu
exec nginx -c /lab/wwwapp/nginx.conf
