# syntax=docker/dockerfile:1

FROM python:3.13-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/venv/bin:$PATH
WORKDIR /srv

# The packages first: they change less often than the code, so their layer is kept.
FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --quiet --no-deps --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
RUN pip install --quiet --no-deps --no-build-isolation .

# For `USE_DOCKER=1 make test` and the like: the sources are mounted over /srv, PostgreSQL and Redis are the machine's.
FROM base AS dev
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends chromium git make postgresql redis-server \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
COPY requirements-dev.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --quiet --no-deps --require-hashes --requirement requirements-dev.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY migrations migrations
RUN pip install --quiet --no-deps --no-build-isolation --editable .
# Nothing of a run in the container is left among the mounted sources.
ENV CHROMIUM=/usr/bin/chromium \
    RUFF_CACHE_DIR=/tmp/ruff MYPY_CACHE_DIR=/tmp/mypy COVERAGE_FILE=/tmp/coverage/data \
    PYTEST_ADDOPTS="-p no:cacheprovider"
RUN mkdir /tmp/coverage

FROM base AS app
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent movie-finder \
    && install --directory --owner movie-finder /srv/.data
COPY --from=build /opt/venv /opt/venv
COPY alembic.ini ./
COPY migrations migrations
USER movie-finder
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
CMD ["movie-finder", "serve", "--host", "0.0.0.0", "--port", "8000"]
