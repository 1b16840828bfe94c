"""The distributed system as real processes: PostgreSQL, Valkey, NATS, web processes, bridges and a dispatcher."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from devservers.process import free_port
from devservers.servers import NatsServer, PostgresServer, ValkeyServer
from devservers.templates import template_cluster
from devservers.web import ServerProcess


class Topology:
    """Everything, in one folder. Web processes have a port each; clients may come back to any of them.

    Each of the `valkeys` is a shard; `valkey` is the first.
    """

    def __init__(self, folder: Path, shards: int = 1, /, *, webs: int = 2, bridges: int = 2, **env: str) -> None:
        self.postgres = PostgresServer(folder / "postgres", fsync=False, template=template_cluster())
        self.valkey = ValkeyServer(folder / "valkey")
        self.valkeys = [self.valkey, *(ValkeyServer(folder / f"valkey-{number}") for number in range(1, shards))]
        self.nats = NatsServer(folder / "nats")
        urls = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.valkey.url, "NATS_URL": self.nats.url}
        urls["REDIS_SHARDS"] = ",".join(valkey.url for valkey in self.valkeys[1:])
        self.env = {**urls, **env}
        self._folder = folder
        self._stack = ExitStack()
        self.webs = [self._process("serve", "--port", str(free_port())) for _ in range(webs)]
        self.bridges = [self._process("run_nats_bridge") for _ in range(bridges)]
        self.dispatcher = self._process("run_dispatcher")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.postgres.wipe)
            for server in (self.postgres, *self.valkeys, self.nats):
                stack.enter_context(server)
            if self.postgres.template is None:
                self.webs[0].migrate()
            for process in self.processes:
                process.launch()
                stack.callback(self._end, process)
            for web in self.webs:
                web.url = f"http://127.0.0.1:{web.command[-1]}"
                web.wait_until_it_answers()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def with_data_of(self, template: Path) -> Self:
        """Begin with a copy of the data of a PostgreSQL that has all tables."""
        self.postgres.template = template
        return self

    def with_workers(self, count: int) -> Self:
        """Let each of the `webs` be so many processes behind its port."""
        for web in self.webs:
            web.command = ("manage.py", "serve", "--workers", str(count), *web.command[2:])
        return self

    @property
    def processes(self) -> list[ServerProcess]:
        """All processes of ours, in the order in which they start."""
        return [*self.bridges, self.dispatcher, *self.webs]

    @property
    def urls(self) -> list[str]:
        """The addresses of the web processes."""
        return [web.url for web in self.webs]

    def active_bridge(self) -> ServerProcess:
        """Return the active bridge, by its log."""
        alive = [bridge for bridge in self.bridges if bridge.is_alive]
        return next(bridge for bridge in alive if "Bridging: stream" in "".join(bridge.output))

    def output(self) -> str:
        """Return the output of all processes."""
        return "".join(line for process in self.processes for line in process.output)

    def _process(self, *command: str) -> ServerProcess:
        return ServerProcess(self._folder, "manage.py", *command, **self.env)

    @staticmethod
    def _end(process: ServerProcess) -> None:
        if process.is_alive:
            process.stop()
