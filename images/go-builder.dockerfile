# Builds the Go parts. Debian's Go is only the start: each go.mod names its toolchain, which Go fetches as a verified module.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go git ca-certificates >/dev/null \
 && rm -rf /var/lib/apt/lists/*
ENV GOTOOLCHAIN=auto CGO_ENABLED=0 GOMODCACHE=/cache/mod GOCACHE=/cache/build SSL_CERT_FILE=/src/.ca-certificates.crt
