#!/bin/bash
# Keys and certificates of the strange hosts and of the operator who goes there, once, into the folder $1.
set -eu
cd "$1"
make() { ssh-keygen -q -t ed25519 -N "${2:-}" -C "$1" -f "$1"; }

for name in id stranger host other_host authority other_authority; do make "$name"; done
make locked swordfish
ssh-keygen -q -t rsa -b 2048 -N swordfish -m PEM -C old -f old
ssh-keygen -q -t ecdsa -N "" -C curve -f curve
echo "no key at all" >broken

# a host's certificate: in order, expired, another host's, by an authority that nobody knows
certify() { cp "$2.pub" "$1.pub"; cp "$2" "$1"; ssh-keygen -q -s "$3" -h -I "$1" "${@:4}" "$1.pub"; }
certify good host authority -n 'odd1,*.example.test' -V always:forever
certify late host authority -n odd1 -V 20200101:20200102
certify astray host authority -n mail7 -V always:forever
certify strange host other_authority -n odd1 -V always:forever
certify curved curve authority -n odd1 -V always:forever

# the operator's: in order, expired, and one for a locked key
enrol() { cp "$2.pub" "$1.pub"; cp "$2" "$1"; ssh-keygen -q -s authority -I "$1" -n root "${@:3}" "$1.pub"; }
enrol member id -V always:forever
enrol former id -V 20200101:20200102
enrol vaulted locked -V always:forever
chmod 600 id stranger locked old member former vaulted
