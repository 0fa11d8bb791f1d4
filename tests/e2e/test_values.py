"""Values between nodes: attribute access, unions, large outputs, decks and offloaded literals give what the same code gives locally."""

import pytest
from flyteidl.admin import project_attributes_pb2
from flyteidl.core.execution_pb2 import WorkflowExecution

from ahead import alone, runs
from workflows import values


@runs("values.parts", x=7)
def test_parts_of_values(execution, remote, tmp_path):
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.error
    expected = values.parts(x=7)
    for number, value in enumerate(expected):
        if number == 4:
            inner = execution.outputs.get("o4", values.Inner)
            assert inner == value == values.Inner(number=7, words=["a", "b"])
        else:
            assert execution.outputs[f"o{number}"] == value, number
    # The deck of the task is where the console and the download link find it.
    made = next(n for n in execution.node_executions.values() if n.closure.deck_uri)
    local = tmp_path / "deck.html"
    remote.file_access.get_data(made.closure.deck_uri, str(local))
    assert "made of 7" in local.read_text(encoding="utf-8")


@pytest.fixture
def offloading(sandbox, remote, eventually, tmp_path):
    """Literals from 1 MB on are objects of their own; nothing else is running meanwhile."""
    file = tmp_path / "config.yaml"
    file.write_text("propeller: {literal-offloading-config: {enabled: true, min-size-in-mb-for-offloading: 1}}\n"
                    "flyteadmin: {maxParallelism: 26}\n", encoding="utf-8")

    def parallelism():
        config = remote.client._stub.GetProjectAttributes(project_attributes_pb2.ProjectAttributesGetRequest(
            project="flytesnacks", resource_type="WORKFLOW_EXECUTION_CONFIG"), timeout=60)
        return config.attributes.matching_attributes.workflow_execution_config.max_parallelism

    before = parallelism()
    sandbox.run("reload", "--config", str(file))
    try:
        eventually(lambda: parallelism() == 26, what="the configuration")
        yield
    finally:
        sandbox.run("reload", "--config", "--reset")
    eventually(lambda: parallelism() == before, what="the configuration of before")


@alone
def test_offloaded_lists(launch_workflow, finish, remote, offloading):
    execution = finish(launch_workflow("values.offloaded", count=3))
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.error
    texts = [str(i) * 500_000 for i in range(3)]
    assert execution.outputs["o0"] == texts == values.many(count=3)
    assert execution.outputs["o1"] == texts[1]
    assert execution.outputs["o2"] == values.lengths(texts=texts) == [500_000] * 3
    # Both lists were objects of their own on their way: the task's, which flytekit offloads, and the map's.
    for node in "n0", "n1":
        literal = remote.client.get_node_execution_data(execution.node_executions[node].id).full_outputs.literals["o0"]
        assert literal.offloaded_metadata.uri.endswith("o0_offloaded_metadata.pb")
        assert literal.offloaded_metadata.size_bytes > 1_500_000
