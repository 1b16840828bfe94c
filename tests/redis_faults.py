"""A Redis server that answers, and refuses to work: each of these is lifted again by what it returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from devservers.patience import until_true
from devservers.servers import ValkeyServer

Undo = Callable[[], object]

SLOW_KEYS, KEY_DELAY = 40_000, 500
"""How many keys take so many microseconds each to load: 20 s."""


def out_of_memory(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Refuse every command that needs memory: OOM."""
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    return lambda: client.config_set("maxmemory", 0)


def read_only(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Be a replica, as after a failover: READONLY."""
    client.config_set("replica-serve-stale-data", "yes")
    client.replicaof("127.0.0.1", "1")
    return lambda: client.replicaof("NO", "ONE")


def without_its_master(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Be a replica that has lost its master and serves no old data: MASTERDOWN."""
    client.config_set("replica-serve-stale-data", "no")
    client.replicaof("127.0.0.1", "1")

    def undo() -> None:
        client.replicaof("NO", "ONE")
        client.config_set("replica-serve-stale-data", "yes")

    return undo


def without_replicas(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Miss the replicas that must have each write: NOREPLICAS."""
    client.config_set("min-replicas-to-write", 1)
    return lambda: client.config_set("min-replicas-to-write", 0)


def without_disk(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Fail to save, and therefore take no more writes: MISCONF."""
    client.config_set("save", "3600 1")
    (server.data / "dump.rdb").unlink(missing_ok=True)  # of the last time
    (server.data / "dump.rdb").mkdir()  # a file cannot take its place
    client.set("changed", 1)
    client.bgsave()
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        time.sleep(0.01)

    def undo() -> None:
        (server.data / "dump.rdb").rmdir()
        client.bgsave()
        while client.info("persistence")["rdb_last_bgsave_status"] != "ok":
            time.sleep(0.01)
        client.config_set("save", "")

    return undo


def loading(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Start again, with data that takes its time to load: LOADING."""
    keys = [f"loading:{n}" for n in range(SLOW_KEYS)]
    with client.pipeline(transaction=False) as batch:
        for key in keys:
            batch.set(key, "")
        batch.execute()
    server.stop()
    server.options = ["--key-load-delay", str(KEY_DELAY)]
    server.prepare()
    server._launch_server()

    impatient = redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0))

    def answer() -> str:
        try:
            impatient.ping()
        except redis.BusyLoadingError:
            return "loading"
        except redis.ConnectionError:
            return "nothing"
        return "pong"

    until_true(lambda: answer() == "loading")

    def undo() -> None:
        impatient.config_set("key-load-delay", 0)
        until_true(lambda: answer() == "pong")
        impatient.delete(*keys)
        impatient.close()
        server.options = []

    return undo


def busy(server: ValkeyServer, client: redis.Redis) -> Undo:
    """Run somebody's endless script: BUSY."""
    client.config_set("lua-time-limit", 1)
    endless = redis.Redis.from_url(server.url, socket_timeout=None)

    def run() -> None:
        try:
            endless.eval("while true do end", 0)
        except redis.RedisError:  # it was killed
            endless.close()

    thread = threading.Thread(target=run)
    thread.start()

    def is_busy() -> bool:
        try:
            client.ping()
        except redis.ResponseError:
            return True
        return False

    while not is_busy():
        time.sleep(0.01)

    def undo() -> None:
        client.script_kill()
        thread.join()

    return undo


REFUSALS = {
    "OOM": out_of_memory,
    "READONLY": read_only,
    "MASTERDOWN": without_its_master,
    "NOREPLICAS": without_replicas,
    "MISCONF": without_disk,
    "BUSY": busy,
    "LOADING": loading,
}
