# Every other service of the platform; each container runs one of them.
ARG BASE
FROM ${BASE}
RUN groupadd -g 5000 vmail && useradd -u 5000 -g 5000 -d /var/vmail -m vmail \
 && useradd --system --home /var/piler --create-home piler
RUN apt-get update && apt-get install -y --no-install-recommends \
      dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-mysql dovecot-sieve dovecot-managesieved \
      mariadb-server libdbd-mysql-perl python3-pymysql amavisd-new spamassassin spamd spamc \
      clamav-daemon clamdscan clamav-freshclam socat sphinxsearch nginx-light dnsmasq-base curl \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
