#!/bin/bash
# One strange host; $1 says which. Each sshd of odd1 listens on a port of its own.
set -eu
install --mode=700 --directory /root/.ssh /run/sshd
install --mode=600 /state/strange/{host,good,late,astray,strange,curved} /etc/ssh/
install --mode=644 /state/strange/{good,late,astray,strange,curved}-cert.pub /state/strange/authority.pub /etc/ssh/
cat /state/strange/{id,locked,old}.pub >/etc/ssh/authorized_keys
rm -rf /etc/ssh/sshd_config.d

sshd() { # port, then lines of its configuration
    # The first line of a kind is the one that counts.
    printf '%s\n' "${@:2}" "Port $1" "PidFile none" "UsePAM no" "StrictModes no" "PermitRootLogin yes" "UseDNS no" \
        "Subsystem sftp internal-sftp" "AuthorizedKeysFile /etc/ssh/authorized_keys" >"/etc/ssh/sshd-$1"
    grep -q '^HostKey' "/etc/ssh/sshd-$1" || echo "HostKey /etc/ssh/host" >>"/etc/ssh/sshd-$1"
    "${SSHD:-/usr/sbin/sshd}" -E "/var/log/sshd-$1" -f "/etc/ssh/sshd-$1"
}

person() { # name, login shell: with the operator's key, and a password
    useradd --create-home --shell "$2" "$1" 2>/dev/null || true
    echo "$1:swordfish" | chpasswd
}

case $1 in
jump1) sshd 22 ;;
jump2)
    sshd 22 "AllowUsers root@172.28.0.110"
    sshd 2222 "ListenAddress 127.0.0.1"
    ;;
nosh)
    sshd 22
    rm /bin/sh
    ;;
bare)
    install --mode=600 /etc/ssh/authorized_keys /root/.ssh/authorized_keys
    dropbearconvert openssh dropbear /state/strange/host /etc/dropbear_key 2>/dev/null
    for applet in $(busybox --list); do
        [ "$applet" = busybox ] || ln -sf /bin/busybox "/usr/bin/$applet"
        rm -f "/usr/sbin/$applet"
    done
    exec dropbear -F -E -r /etc/dropbear_key -p 22
    ;;
odd1)
    person ann /bin/bash
    person fish /usr/bin/fish
    person tcsh /usr/bin/tcsh
    person chatty /bin/bash
    person loud /bin/bash
    printf '%s' 'printf "welcome, no end of line"; printf "and on stderr" >&2' >/home/chatty/.bashrc
    echo 'head -c 10000000 /dev/zero | tr "\0" x' >/home/loud/.bashrc
    echo 'echo welcome to tcsh' >/home/tcsh/.tcshrc
    install --directory /home/fish/.config/fish
    echo 'echo welcome to fish' >/home/fish/.config/fish/config.fish
    chown --recursive fish /home/fish
    install --directory --mode=711 /etc/totp
    printf 'JBSWY3DPEHPK3PXP\n" TOTP_AUTH\n" WINDOW_SIZE 5\n' >/etc/totp/ann
    chmod 400 /etc/totp/ann
    cp /etc/totp/ann /etc/totp/root
    code='auth required pam_google_authenticator.so user=root secret=/etc/totp/${USER}'
    rest=$'account required pam_unix.so\nsession required pam_unix.so'
    printf '%s\n' "auth required pam_unix.so" "$code" "$rest" >/etc/pam.d/sshd-both
    printf '%s\n' "$code" "$rest" >/etc/pam.d/sshd-code
    ln -sf /usr/sbin/sshd /usr/local/sbin/sshd-both
    ln -sf /usr/sbin/sshd /usr/local/sbin/sshd-code

    sshd 22
    sshd 2201 "MaxSessions 1"
    sshd 2202 "MaxStartups 1:100:1" "LoginGraceTime 30"
    sshd 2203 "DisableForwarding yes"
    sshd 2204 "ForceCommand echo this account is for backups"
    sshd 2205 "PubkeyAuthentication no" "KbdInteractiveAuthentication no" "PasswordAuthentication yes"
    SSHD=/usr/local/sbin/sshd-both sshd 2206 "UsePAM yes" "PubkeyAuthentication no" "PasswordAuthentication no" \
        "KbdInteractiveAuthentication yes"
    SSHD=/usr/local/sbin/sshd-code sshd 2207 "UsePAM yes" "KbdInteractiveAuthentication yes" \
        "AuthenticationMethods publickey,keyboard-interactive"
    sshd 2208 "HostKey /etc/ssh/good" "HostCertificate /etc/ssh/good-cert.pub"
    sshd 2209 "HostKey /etc/ssh/late" "HostCertificate /etc/ssh/late-cert.pub"
    sshd 2210 "HostKey /etc/ssh/astray" "HostCertificate /etc/ssh/astray-cert.pub"
    sshd 2211 "HostKey /etc/ssh/strange" "HostCertificate /etc/ssh/strange-cert.pub"
    sshd 2212 "HostKey /etc/ssh/curved" "HostCertificate /etc/ssh/curved-cert.pub"
    sshd 2213 "TrustedUserCAKeys /etc/ssh/authority.pub" "AuthorizedKeysFile none"
    sshd 2214 "ForceCommand internal-sftp"
    sshd 2215 "MaxSessions 1" "DisableForwarding yes"
    sshd 2216 "MaxSessions 0"
    sshd 2217 "MaxAuthTries 2"
    sshd 2218 "LoginGraceTime 3" "PubkeyAuthentication no" "PasswordAuthentication yes"
    ;;
esac
exec sleep infinity
