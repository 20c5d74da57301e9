#!/bin/bash
# A certificate authority for the lab, a certificate for every name that is served, and the keys for SSH.
# Writes below the folder given as $1; what is there already stays.
set -eu
cd "$1"

mkdir -p ca letsencrypt/live ssh/host
if [ ! -e ca/ca.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj '/CN=mailtop lab CA' -keyout ca/ca.key -out ca/ca.pem 2>/dev/null
fi

for name in mail.example.test webmail.example.test archive.example.test; do
    folder=letsencrypt/live/$name
    [ ! -e "$folder/fullchain.pem" ] || continue
    mkdir -p "$folder"
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$folder/privkey.pem" -out "$folder/request.pem" 2>/dev/null
    also=DNS:$name
    [ "$name" != mail.example.test ] || also=$also,DNS:mail1.example.test,DNS:mail2.example.test,DNS:imap.example.test
    openssl x509 -req -in "$folder/request.pem" -CA ca/ca.pem -CAkey ca/ca.key -CAcreateserial -days 90 \
        -extfile <(echo "subjectAltName=$also") -out "$folder/cert.pem" 2>/dev/null
    cp ca/ca.pem "$folder/chain.pem"
    cat "$folder/cert.pem" "$folder/chain.pem" >"$folder/fullchain.pem"
    rm "$folder/request.pem"
done

[ -e ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -C 'mailtop lab' -f ssh/id_ed25519
for host in mail1 mail2; do
    [ -e "ssh/host/$host" ] || ssh-keygen -q -t ed25519 -N '' -C "$host" -f "ssh/host/$host"
done
