# Stratavox with the environment of envs/requirements.lock (docs/executors.md, "The image"):
#   docker build -t stratavox .
#   docker run -v "$PWD":/data stratavox --configfile mine.yaml
FROM python:3.11-slim

# The environment first: a change of the code does not install it again.
# connection-pool is built: by the setuptools of the lock, not by the newest one.
COPY envs/requirements.lock /opt/stratavox/envs/requirements.lock
RUN sed -n '/^setuptools==/,/[^\\]$/p' /opt/stratavox/envs/requirements.lock > /tmp/setuptools.lock \
    && python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --no-deps --require-hashes -r /tmp/setuptools.lock \
    && python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --no-deps --require-hashes --no-build-isolation -r /opt/stratavox/envs/requirements.lock

COPY . /opt/stratavox
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --no-deps --no-build-isolation -e /opt/stratavox

# Caches of fetched weights and archives go to the home folder, which any --user may write to.
RUN useradd --uid 1000 --create-home stratavox && chmod 1777 /home/stratavox \
    && mkdir /data && chown stratavox /data
ENV HOME=/home/stratavox
# by number, as Kubernetes asks for
USER 1000
WORKDIR /data

ENTRYPOINT ["snakemake", "-s", "/opt/stratavox/Snakefile", "--directory", "/data", "--cores", "all"]
