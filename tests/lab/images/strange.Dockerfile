# Hosts as people have them, and worse: one-time codes by PAM, other login shells, BusyBox, another SSH server.
ARG BASE
FROM ${BASE}
RUN apt-get update && apt-get install -y --no-install-recommends \
      libpam-google-authenticator fish tcsh busybox-static dropbear-bin \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
