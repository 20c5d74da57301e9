# A host of the platform, mail1 or mail2: SSH, a Docker client (and for mail2 a daemon of its own), keepalived.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends \
      openssh-server keepalived docker.io iptables socat iputils-ping sudo \
 && apt-get clean && rm -rf /var/lib/apt/lists/* && rm -f /etc/ssh/ssh_host_* \
 && useradd --create-home --shell /bin/bash ops && useradd --create-home --shell /bin/bash guest
