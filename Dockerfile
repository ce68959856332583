# redloop, compiled, on a Debian or Ubuntu base that has, or can install, Python 3.11 or later:
#   docker build -t redloop .
#   docker run -p 6379:6379 -v redloop:/data redloop [--directive value ...]
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev python3-venv
WORKDIR /src
COPY pyproject.toml setup.py README.md LICENSE ./
COPY app app
RUN python3 -m venv /opt/redloop \
    && REDLOOP_COMPILE=1 /opt/redloop/bin/pip install --no-cache-dir -v . \
    && /opt/redloop/bin/pip uninstall -y setuptools pip

FROM ${BASE}
RUN { command -v python3 || { apt-get update && apt-get install -y --no-install-recommends python3; }; } \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 999 --home-dir /data --create-home redloop \
    # Who gets here is decided by the container's network. The socket is for the health check: it stays where it is, whatever --port says.
    && printf '%s\n' 'dir /data' 'appendonly yes' 'protected-mode no' 'unixsocket /tmp/redloop.sock' >/etc/redloop.conf
COPY --from=build /opt/redloop /opt/redloop
ENV PATH=/opt/redloop/bin:$PATH
USER redloop
WORKDIR /data
VOLUME /data
EXPOSE 6379
# Healthy is who answers PING, be it by asking for a password. The start period leaves time to load a big data set.
HEALTHCHECK --timeout=5s --start-period=10m CMD ["python3", "-c", "import socket; s = socket.socket(socket.AF_UNIX); \
s.connect('/tmp/redloop.sock'); s.sendall(b'PING\\r\\n'); exit(s.recv(9)[:5] not in (b'+PONG', b'-NOAU'))"]
ENTRYPOINT ["redloop", "/etc/redloop.conf"]
