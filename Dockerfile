# The hall as one image: the same program as `make serve`, as a user without privileges.
FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /hall hall && mkdir /hall && chown hall /hall
WORKDIR /src
COPY requirements-bootstrap.txt requirements.txt pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements-bootstrap.txt \
 && uv pip install --system --no-cache --require-hashes -r requirements.txt
COPY . .
RUN uv pip install --system --no-cache --no-deps --no-build-isolation -e .
USER hall
VOLUME /hall
EXPOSE 8000
ENTRYPOINT ["tradehall"]
