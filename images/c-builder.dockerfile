# Builds our C programs against the same libraries that the node image has.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    gcc libc6-dev cmake ninja-build pkgconf ca-certificates file python3 python3-venv zlib1g-dev libssl-dev \
    protobuf-compiler protobuf-c-compiler libprotobuf-c-dev libnghttp2-dev libuv1-dev libcurl4-openssl-dev libjansson-dev libpq-dev \
    libyaml-dev libarchive-dev libhttp-parser-dev >/dev/null \
 && rm -rf /var/lib/apt/lists/*
ENV SSL_CERT_FILE=/src/.ca-certificates.crt PIP_CERT=/src/.ca-certificates.crt
