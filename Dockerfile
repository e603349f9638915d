# One image for every service: OpenResty in front, Circus and the services behind it. What a container is, is its command.
# It runs as uid 10001 with a read-only root, given a tmpfs (or a volume) at /var/lib/runnerly and at /tmp.
ARG BASE=openresty/openresty:bookworm

FROM ${BASE} AS build
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements/image.txt requirements/image.txt
RUN python3 -m venv venv \
    && venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY deploy deploy
COPY monitoring monitoring
COPY docs/openapi docs/openapi
RUN venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable . \
    && venv/bin/python -m compileall -q services deploy \
    && rm -rf venv/lib/python3*/site-packages/pip* requirements
ARG VERSION=0+unknown
ARG COMMIT=unknown
RUN printf '{"source":"runnerly","version":"%s","commit":"%s","build":null}\n' "$VERSION" "$COMMIT" > version.json

FROM ${BASE}
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /var/lib/runnerly --shell /usr/sbin/nologin runnerly \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/runnerly /var/lib/runnerly/keys
COPY --from=build /app /app
ENV PATH=/app/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RUNNERLY_ENVIRONMENT=production \
    RUNNERLY_HOME=/var/lib/runnerly \
    RUNNERLY_HOST=0.0.0.0 \
    RUNNERLY_BOOTSTRAP=false
WORKDIR /app
USER 10001:10001
EXPOSE 8080
# The base image's nginx stops on QUIT; our first process is the launcher, which stops everything in order on TERM.
STOPSIGNAL SIGTERM
# Through the door, so that a dead pool of workers shows.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "deploy.health"]
CMD ["python", "-m", "deploy.circus", "up"]
