# What every bookworm image shares: a Postfix, and the tools an operator would look for.
#
# BASE is a minimal Debian: one that debootstrap made on this machine, or the default where a registry is reachable.
# The apt sources come with it, so no mirror is named here.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ENV DEBIAN_FRONTEND=noninteractive
# No service may start while packages are configured; documentation and fsync only cost time here.
RUN printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d \
 && printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \
      'path-exclude=/usr/share/locale/*' >/etc/dpkg/dpkg.cfg.d/lab \
 && echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
RUN apt-get update && apt-get install -y --no-install-recommends \
      procps findutils coreutils iproute2 ca-certificates openssl openssh-client netcat-openbsd bind9-dnsutils \
      python3-minimal python3 postfix postfix-mysql postfix-lmdb postfix-pcre \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
