"""The real engine behind TLS, both sides with certificates: everything that goes through a connection that is taken over, too."""

import shutil
import ssl
import subprocess

import pytest

from conftest import docker, exists
from support.tcp_front import TcpFront

SOCKET = "/var/run/docker.sock"


def certificate(directory, name):
    key, path = directory / f"{name}-key.pem", directory / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", path], check=True, capture_output=True)
    return key, path


@pytest.fixture
def over_tls(make, tmp_path):
    """An instance whose launcher knows the engine by TLS alone."""
    engine_key, engine = certificate(tmp_path, "engine")
    client_key, client = certificate(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(engine, engine_key)
    context.load_verify_locations(client)
    context.verify_mode = ssl.CERT_REQUIRED
    front = TcpFront(SOCKET, lambda connection: context.wrap_socket(connection, server_side=True))
    known = tmp_path / "certificates"
    known.mkdir()
    for source, name in ((engine, "ca.pem"), (client, "cert.pem"), (client_key, "key.pem")):
        shutil.copy(source, known / name)
    sandbox = make("over-tls")
    sandbox.client.update(DOCKER_HOST=front.address, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=str(known))
    yield sandbox
    front.close()


def test_everything_goes_over_tls(over_tls, tmp_path):
    over_tls.run("start", "--ports", "auto", timeout=300)
    assert over_tls.status()["ready"]
    # A command that reads its input to the end gets that end.
    for text in ("", "abc\n" * 3, "0123456789abcdef" * 65536):
        done = over_tls.run("exec", "-i", "--", "sh", "-c", "cat; exit 3", input=text, check=False)
        assert (done.stdout, done.returncode) == (text, 3)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM sandbox.local/pause:1\nCOPY large /large\n")
    (context / "large").write_bytes(bytes(5_000_000))
    over_tls.run("build", str(context), "--tag", "over-tls:1")
    assert "over-tls:1" in over_tls.run("exec", "--", "ctr", "-n", "k8s.io", "images", "list", "-q").stdout
    over_tls.run("delete", "--volume")
    assert not exists("container", over_tls.container) and not exists("volume", over_tls.container)
    assert "over-tls" not in docker("ps", "--all", "--format", "{{.Names}}")
