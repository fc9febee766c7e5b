# idp as an image: the wheel and its dependencies in /opt/idp, run by the user 10001, on a root file system that may be
# read-only. What happens in RUN stands in deploy/image/, where tests run it without an engine. See docs/deployment.md.
#
#   docker build --build-arg VERSION=1.2.3 --build-arg REVISION="$(git rev-parse HEAD)" --tag idp:1.2.3 .

FROM python:3.13-slim-trixie AS build

COPY deploy/image/build.sh /build.sh
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY idp/ idp/
COPY migrations/ migrations/
COPY templates/ templates/
COPY examples/spa/ examples/spa/
RUN ["sh", "/build.sh", "/src", "/opt/idp"]


FROM python:3.13-slim-trixie

RUN --mount=type=bind,source=deploy/image/system.sh,target=/mnt/system.sh ["sh", "/mnt/system.sh", "/"]
COPY --from=build /opt/idp /opt/idp
COPY deploy/image/healthy.py /opt/idp/healthy.py

ENV PATH=/opt/idp/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    IDP_ENV=production \
    IDP_BIND=0.0.0.0:8000 \
    IDP_DATA_DIR=/var/lib/idp/data \
    IDP_KEYS_DIR=/var/lib/idp/keys

WORKDIR /var/lib/idp
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/idp/bin/python", "-I", "/opt/idp/healthy.py", "live"]
ENTRYPOINT ["idp"]
CMD ["serve"]

# Last, so that a new version changes no layer before it.
ARG VERSION=0.0.0
ARG REVISION=unknown
# What /health/detailed calls this release, and a roll-out waits for: the tag of the image.
ENV IDP_RELEASE=${VERSION}
LABEL org.opencontainers.image.title="idp" \
    org.opencontainers.image.description="OAuth 2.0 and OpenID Connect token server" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
