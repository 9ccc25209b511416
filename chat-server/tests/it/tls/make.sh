#!/usr/bin/env bash
# Makes the certificates of these tests: bash make.sh. Each is signed by itself, and the keys are
# no secret: nobody else may trust them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
touch "$folder/index"
cat >"$folder/config" <<CONFIG
[ca]
default_ca = own
[own]
database = $folder/index
new_certs_dir = $folder
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[server]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost,IP:127.0.0.1
[req]
distinguished_name = name
[name]
CONFIG
for name in first second; do
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key"
    openssl req -new -config "$folder/config" -key "$name.key" -subj "/CN=$name" -out "$folder/request"
    openssl ca -batch -selfsign -notext -config "$folder/config" -keyfile "$name.key" \
        -startdate 20200101000000Z -enddate 21200101000000Z -in "$folder/request" -out "$name.pem"
done
