# One image for all processes of the system: `docker run <image> <management command>`; compose.yaml has them all.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONPATH=/app/clients/python/src \
    DEBUG=false

WORKDIR /app
RUN useradd --system --uid 10001 --no-create-home --home-dir /app nebengjek

# Packages change less often than the code, so they have a layer of their own.
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

# What is copied is listed in .dockerignore. The code belongs to root: a process that runs it cannot change it.
COPY . .
RUN python -m compileall -q .

USER 10001
EXPOSE 8000
# Without a shell in between, SIGTERM reaches the process, which then stops in its own way.
ENTRYPOINT ["python", "manage.py"]
CMD ["serve", "--host", "0.0.0.0"]
