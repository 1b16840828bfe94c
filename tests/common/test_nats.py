"""Connections to real NATS servers: late ones, lost ones, and those that ask who we are."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nats.aio.client import Client

from common import nats as module
from common.background_tasks import end
from common.nats import AWAY, connect_to_nats, credentials
from devservers.process import free_port
from devservers.servers import NatsServer
from tests.patience import until, within

SOON = timedelta(days=1)


@pytest.fixture(autouse=True)
def _short_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_DELAY", 0.5)
    monkeypatch.setattr(module, "CONNECT_TIMEOUT", 0.3)


async def echo(client: Client) -> bytes:
    """Let a client hear what it says."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Any) -> None:
        await heard.put(message.data)

    await client.subscribe("echo", cb=hear)
    await client.publish("echo", b"hello")
    async with within():
        return await heard.get()


async def test_a_server_that_starts_later_is_waited_for(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = NatsServer(tmp_path, free_port())
    settings.NATS_URL = server.url
    connecting = asyncio.create_task(connect_to_nats("web"))
    await until(lambda: "NATS is unreachable, retrying" in caplog.text)
    assert not connecting.done()
    with server:
        client = await connecting
        assert await echo(client) == b"hello"
        await client.close()
    assert caplog.text.count("NATS is unreachable") == 1


async def test_who_waits_no_more_for_a_server_leaves_nothing_behind(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.NATS_URL = f"nats://127.0.0.1:{free_port()}"
    before = asyncio.all_tasks()
    connecting = asyncio.create_task(connect_to_nats("web"))
    await until(lambda: "NATS is unreachable, retrying" in caplog.text)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert asyncio.all_tasks() == before


async def test_a_lost_connection_is_made_again_and_both_are_told(tmp_path: Path, settings: Any) -> None:
    told: list[str] = []

    async def lost() -> None:
        told.append("lost")

    async def found() -> None:
        told.append("found")

    with NatsServer(tmp_path) as server:
        settings.NATS_URL = server.url
        client = await connect_to_nats("web", disconnected_cb=lost, reconnected_cb=found)
        server.kill()
        await until(lambda: told == ["lost"])
        server.start()
        await until(lambda: told == ["lost", "found"])
        assert await echo(client) == b"hello"
        await client.close()


async def test_of_several_servers_one_is_enough(nats_server: NatsServer, settings: Any) -> None:
    settings.NATS_URL = f"nats://127.0.0.1:{free_port()},{nats_server.url}"
    client = await connect_to_nats("web")
    assert await echo(client) == b"hello"
    await client.close()


async def test_answers_come_to_subjects_of_the_name(nats_server: NatsServer, settings: Any) -> None:
    settings.NATS_URL = nats_server.url
    client = await connect_to_nats("dispatcher")
    assert client.new_inbox().startswith("_INBOX_dispatcher.")
    await client.close()


async def test_what_is_said_over_a_closed_connection_counts_as_away(nats_server: NatsServer, settings: Any) -> None:
    settings.NATS_URL = nats_server.url
    client = await connect_to_nats("web")
    await client.close()
    with pytest.raises(AWAY):
        await client.publish("echo", b"hello")


async def test_user_and_password_may_be_in_the_url(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = tmp_path / "nats.conf"
    config.write_text('authorization { user: "dewi", password: "secret" }')
    with NatsServer(tmp_path / "server", config=config) as server:
        settings.NATS_URL = server.url.replace("://", "://dewi:wrong@")
        refused = asyncio.create_task(connect_to_nats("web"))
        await until(lambda: "Authorization Violation" in caplog.text)
        await end(refused)
        settings.NATS_URL = server.url.replace("://", "://dewi:secret@")
        client = await connect_to_nats("web")
        assert await echo(client) == b"hello"
        await client.close()
    assert "secret" not in caplog.text


def test_without_settings_nothing_proves_who_we_are() -> None:
    assert credentials() == {}


def test_a_credentials_file_is_handed_on(settings: Any) -> None:
    settings.NATS_CREDENTIALS = "/run/secrets/bridge.creds"
    assert credentials() == {"user_credentials": "/run/secrets/bridge.creds"}


class Certificates:
    """An authority, and certificates that it has signed, as files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        self.authority = self._write("authority", self._sign(self._name, self._key.public_key(), ca=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate for this machine and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = self._write(name, self._sign(subject, key.public_key(), ca=False))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        key_file = self._folder / f"{name}.key"
        key_file.write_bytes(secret)
        return certificate, key_file

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - SOON, now + SOON)
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        return (
            builder.add_extension(authority, critical=False)
            .add_extension(address, critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self._folder / f"{name}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return path


async def test_a_certificate_proves_who_we_are_and_who_the_server_is(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(tmp_path)
    certificate, key = certificates.issue("server")
    config = tmp_path / "nats.conf"
    files = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{certificates.authority}"'
    config.write_text(f"tls {{ {files}, verify: true }}")
    with NatsServer(tmp_path / "server", config=config) as server:
        settings.NATS_URL = server.url.replace("nats://", "tls://")
        refused = asyncio.create_task(connect_to_nats("web"))
        await until(lambda: "NATS is unreachable" in caplog.text)  # we do not know the authority
        await end(refused)
        settings.NATS_TLS_CA = str(certificates.authority)
        settings.NATS_TLS_CERT, settings.NATS_TLS_KEY = map(str, certificates.issue("web"))
        client = await connect_to_nats("web")
        assert await echo(client) == b"hello"
        await client.close()


def test_an_authority_alone_proves_only_who_the_server_is(tmp_path: Path, settings: Any) -> None:
    settings.NATS_TLS_CA = str(Certificates(tmp_path).authority)
    context = credentials()["tls"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [dict(part[0])["commonName"] for part in (context.get_ca_certs()[0]["subject"],)] == ["authority"]


def test_the_key_may_be_in_the_file_of_the_certificate(tmp_path: Path, settings: Any) -> None:
    certificate, key = Certificates(tmp_path).issue("web")
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    settings.NATS_TLS_CERT = str(certificate)
    assert isinstance(credentials()["tls"], ssl.SSLContext)
