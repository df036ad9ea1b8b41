# The same program as `make run` gives, in a container: data in the volume /data.
# The steps are those of scripts/python.sh and scripts/frontend.sh; a test compares their versions.

FROM node:24-bookworm-slim AS frontend
WORKDIR /src
COPY scripts scripts
COPY console console
COPY widget widget
RUN ./scripts/frontend.sh build

FROM python:3.11-slim-bookworm AS packages
WORKDIR /otklik
COPY scripts scripts
COPY requirements.lock requirements-dev.lock ./
RUN ./scripts/python.sh run && rm -rf .cache

FROM python:3.11-slim-bookworm
RUN useradd --system --user-group --uid 10001 --create-home otklik \
    && install -d -o otklik -g otklik -m 700 /data
WORKDIR /otklik
COPY --from=packages /otklik/.venv .venv
COPY . .
COPY --from=frontend /src/console/dist console/dist
COPY --from=frontend /src/widget/dist widget/dist
RUN .venv/bin/python -m compileall -q app channels dialogs tasks migrations
ENV PATH=/otklik/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OTKLIK_HOST=0.0.0.0 \
    OTKLIK_PORT=8080 \
    OTKLIK_DATA_DIR=/data
USER otklik
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
CMD ["otklik", "up"]
