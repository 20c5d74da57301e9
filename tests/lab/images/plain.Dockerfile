# A host without Docker: Postfix of its own, and every way to keep its log (maillog_file, rsyslog, BusyBox, journald).
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends \
      openssh-server rsyslog logrotate systemd busybox xz-utils sudo \
 && apt-get clean && rm -rf /var/lib/apt/lists/* && rm -f /etc/ssh/ssh_host_* \
 && useradd --create-home --shell /bin/bash guest && useradd --create-home --shell /bin/bash --groups adm reader
