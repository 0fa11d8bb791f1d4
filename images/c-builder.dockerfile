# Builds our C programs against the same libraries that the node image has. With FOREIGN, for that architecture: its compiler, and its libraries
# beside those of the tools that run here.
ARG BASE
FROM ${BASE}
ARG FOREIGN=
ARG TRIPLET=
RUN set -eu; of=""; compiler="gcc libc6-dev"; \
    if [ -n "$FOREIGN" ]; then \
      dpkg --add-architecture "$FOREIGN"; of=":$FOREIGN"; compiler="gcc-$(echo "$TRIPLET" | tr _ -) libc6-dev$of"; \
    fi; \
    apt-get update -qq; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      $compiler cmake ninja-build pkgconf ca-certificates file python3 python3-venv protobuf-compiler protobuf-c-compiler \
      $(for library in zlib1g libssl libprotobuf-c libnghttp2 libuv1 libcurl4-openssl libjansson libpq libyaml libarchive libssh2-1 libhttp-parser; do \
          echo "$library-dev$of"; done) >/dev/null; \
    rm -rf /var/lib/apt/lists/*
ENV SSL_CERT_FILE=/src/.ca-certificates.crt PIP_CERT=/src/.ca-certificates.crt
