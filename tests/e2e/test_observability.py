"""What the control plane tells about itself: metrics as Prometheus reads them, health, request ids, and no debugging unless asked for."""

import json
import urllib.error
import urllib.request

import grpc
import pytest
from flyteidl.admin import version_pb2
from flyteidl.service import admin_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

SERIES_MAXIMUM = 5000


def get(sandbox, path, headers=None):
    request = urllib.request.Request(f"http://{sandbox.endpoint('grpc')}{path}", headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def scrape(sandbox):
    """All samples of the page by name and labels, and the families by name; what a scraper would refuse fails here."""
    status, headers, text = get(sandbox, "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families, samples = {}, {}
    for family in text_string_to_metric_families(text):
        assert family.name not in families, f"{family.name} is there twice"
        assert family.documentation and family.type in ("counter", "gauge", "histogram")
        families[family.name] = family
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} is there twice"
            samples[key] = sample.value
    return families, samples


def calls(samples, method, code="OK"):
    return samples.get(("sandbox_rpc_calls_total", (("code", code), ("method", method))), 0)


@pytest.fixture(scope="module")
def channel(sandbox):
    with grpc.insecure_channel(sandbox.endpoint("grpc")) as channel:
        yield channel


def test_calls_are_counted(sandbox, channel):
    method = "/flyteidl.service.AdminService/GetVersion"
    before = scrape(sandbox)[1]
    admin_pb2_grpc.AdminServiceStub(channel).GetVersion(version_pb2.GetVersionRequest(), timeout=30)
    assert get(sandbox, "/api/v1/version")[0] == 200
    families, after = scrape(sandbox)
    assert calls(after, method) == calls(before, method) + 2
    count = ("sandbox_rpc_call_seconds_count", (("method", method),))
    assert after[count] == before.get(count, 0) + 2
    assert families["sandbox_rpc_call_seconds"].type == "histogram"


def test_histograms_are_cumulative_and_complete(sandbox):
    families, samples = scrape(sandbox)
    for family in families.values():
        if family.type != "histogram":
            continue
        last = {}
        for sample in family.samples:
            labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
            if sample.name.endswith("_bucket"):
                assert sample.value >= last.get(labels, 0), sample
                last[labels] = sample.value
        for labels, value in last.items():
            assert samples[(f"{family.name}_count", labels)] == value, family.name


def test_a_client_cannot_invent_series(sandbox, channel):
    before = calls(scrape(sandbox)[1], "unknown", "UNIMPLEMENTED")
    for i in range(20):
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(f"/no.such.Service{i}/Method")(b"", timeout=30)
        assert get(sandbox, f"/api/v1/nothing/{i}")[0] == 404
    samples = scrape(sandbox)[1]
    assert calls(samples, "unknown", "UNIMPLEMENTED") == before + 20
    assert not any("no.such" in str(key) or "/nothing/" in str(key) for key in samples)
    assert len(samples) < SERIES_MAXIMUM


def test_every_part_is_on_the_page(sandbox):
    families, samples = scrape(sandbox)
    for name in ("sandbox_rpc_open_connections", "sandbox_rpc_received_bytes", "sandbox_rpc_queue_length", "sandbox_rpc_memory_bytes",
                 "sandbox_engine_round_seconds", "sandbox_engine_executions", "sandbox_engine_pods_created", "sandbox_engine_watch_synced",
                 "sandbox_database_connections_in_use", "sandbox_database_statement_seconds", "sandbox_scheduler_started",
                 "process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"):
        assert name in families, name
    assert samples[("sandbox_engine_watch_synced", ())] == 1
    assert samples[("sandbox_database_statement_seconds_count", ())] > 0
    assert samples[("process_resident_memory_bytes", ())] > 1 << 20


def test_health_has_details(sandbox):
    status, _, text = get(sandbox, "/healthcheck/detail")
    details = json.loads(text)
    assert status == 200 and details["database"]["ok"] and details["pod_watch"]["ok"]


def test_request_ids_are_in_the_answer_and_the_log(sandbox, channel):
    identifier = "observability-test.1"
    assert get(sandbox, "/api/v1/version", {"X-Request-Id": identifier})[1]["x-request-id"] == identifier
    call = admin_pb2_grpc.AdminServiceStub(channel).GetVersion.with_call(version_pb2.GetVersionRequest(), timeout=30,
                                                                         metadata=[("x-request-id", identifier + "g")])[1]
    assert dict(call.initial_metadata())["x-request-id"] == identifier + "g"
    log = sandbox.run("logs", "controlplane").stdout
    lines = [line for line in log.splitlines() if f"request={identifier}" in line]
    assert any("protocol=http" in line and "code=0" in line for line in lines)
    assert any("protocol=grpc" in line and "code=0" in line for line in lines)


def test_debugging_is_off(sandbox):
    for path in ("/debug", "/debug/memory", "/debug/engine", "/debug/connections"):
        assert get(sandbox, path)[0] == 404
