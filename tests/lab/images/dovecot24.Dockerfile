# The newer Dovecot, from the next Debian release.
ARG BASE=debian:trixie-slim
FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \
      >/etc/dpkg/dpkg.cfg.d/lab
RUN groupadd -g 5000 vmail && useradd -u 5000 -g 5000 -d /var/vmail -m vmail \
 && apt-get update && apt-get install -y --no-install-recommends \
      procps findutils coreutils iproute2 dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
