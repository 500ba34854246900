# syntax=docker/dockerfile:1

# The gateway alone: without the embedded node, which is for development, the build needs a C compiler and nothing else.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package miroir --bin miroir --no-default-features \
    && install -D target/release/miroir /out/usr/local/bin/miroir \
    && install -d /out/etc/miroir \
    && install -d /out/var/lib/miroir

# glibc and CA certificates, no shell, no package manager. The tag's user is 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/usr /usr
COPY --from=build /out/etc/miroir /etc/miroir
COPY --from=build --chown=65532:65532 /out/var/lib/miroir /var/lib/miroir

USER 65532:65532
# Accepted writes are here until every node has them: keep it on a volume.
VOLUME /var/lib/miroir
EXPOSE 7700
ENTRYPOINT ["/usr/local/bin/miroir"]
CMD ["serve", "--config", "/etc/miroir/miroir.yaml"]
