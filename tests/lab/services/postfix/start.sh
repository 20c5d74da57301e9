#!/bin/bash
# Postfix of one node. NODE is mail1 or mail2, LONG_IDS yes or no, FILTER yes or no.
# Configured once: what an operator changes later survives a restart, as it would on a real host.
set -eu

configure() {
    touch /etc/postfix/main.cf
    echo "$NODE.example.test" >/etc/mailname
    cp /lab/postfix/mysql-*.cf /lab/postfix/transport /etc/postfix/
    postconf -e \
        'compatibility_level = 3.6' 'maillog_file = /dev/stdout' "myhostname = $NODE.example.test" \
        'mydomain = example.test' 'myorigin = $mydomain' 'mydestination = localhost' \
        'mynetworks = 127.0.0.0/8 172.28.0.1/32' 'inet_interfaces = all' 'inet_protocols = ipv4' \
        "enable_long_queue_ids = $LONG_IDS" \
        'alias_maps =' 'alias_database =' 'local_recipient_maps =' 'biff = no' 'append_dot_mydomain = no' \
        'message_size_limit = 52428800' \
        'virtual_mailbox_domains = proxy:mysql:/etc/postfix/mysql-domains.cf' \
        'virtual_mailbox_maps = proxy:mysql:/etc/postfix/mysql-mailboxes.cf' \
        'virtual_alias_maps = proxy:mysql:/etc/postfix/mysql-aliases.cf' \
        'virtual_transport = lmtp:inet:dovecot:24' 'transport_maps = texthash:/etc/postfix/transport' \
        'always_bcc = archive@archive.local' \
        'lmtp_host_lookup = native' 'smtp_host_lookup = dns, native' 'smtp_connect_timeout = 5s' \
        'lmtp_connect_timeout = 5s' \
        'minimal_backoff_time = 300s' 'maximal_backoff_time = 600s' 'queue_run_delay = 300s' \
        'smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, reject_unlisted_recipient' \
        'smtpd_sasl_type = dovecot' 'smtpd_sasl_path = inet:dovecot:12345' \
        'smtpd_tls_security_level = may' 'smtp_tls_security_level = none' \
        'smtpd_tls_chain_files = /etc/letsencrypt/live/mail.example.test/privkey.pem, /etc/letsencrypt/live/mail.example.test/fullchain.pem'
    postconf -F '*/*/chroot = n'
    postconf -M 'smtp-amavis/unix=smtp-amavis unix - - n - 4 smtp -o smtp_data_done_timeout=1200 -o smtp_send_xforward_command=yes -o disable_dns_lookups=yes -o max_use=20'
    service submission -o syslog_name=postfix/submission -o smtpd_tls_security_level=may
    service smtps -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes
    if [ "$FILTER" = yes ]; then
        # Addresses are mapped, and the archive's copy is made, only once: after the filter.
        postconf -e 'content_filter = smtp-amavis:[amavis]:10024' 'receive_override_options = no_address_mappings'
        postconf -P 'submission/inet/content_filter=smtp-amavis:[amavis]:10026' \
            'smtps/inet/content_filter=smtp-amavis:[amavis]:10026'
    fi
    reinjection 10025 no_header_body_checks,no_unknown_recipient_checks
    # The lab's way in for thousands of messages: like 10025, but makes no copy for the archive.
    reinjection 10027 no_header_body_checks,no_unknown_recipient_checks,no_address_mappings
    cp --archive /etc/postfix /var/lib/postfix-pristine
}

service() { # NAME OPTIONS: a service for our own users
    local name=$1
    shift
    postconf -M "$name/inet=$name inet n - n - - smtpd $* -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject"
}

reinjection() { # PORT OVERRIDES: where filtered mail comes back
    postconf -M "$1/inet=$1 inet n - n - - smtpd -o content_filter= -o mynetworks=172.28.0.0/24,127.0.0.0/8 -o smtpd_recipient_restrictions=permit_mynetworks,reject -o smtpd_client_restrictions= -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_relay_restrictions=permit_mynetworks,reject -o receive_override_options=$2 -o smtpd_tls_security_level=none -o smtpd_client_connection_count_limit=0 -o syslog_name=postfix/reinject -o local_recipient_maps="
}

[ -d /var/lib/postfix-pristine ] || configure
exec postfix start-fg
