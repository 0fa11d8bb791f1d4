"""Tasks whose pods are special: containers that know nothing of Flyte, pod specs, templates, secrets, and pods that go wrong."""

import os
import pathlib
import typing

from flytekit import ContainerTask, PodTemplate, Resources, Secret, Workflow, current_context, kwtypes, task, workflow
from flytekit.configuration import DefaultImages
from flytekit.core.task import Echo
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

try:
    from kubernetes.client import (V1Container, V1EmptyDirVolumeSource, V1EnvVar, V1EnvVarSource, V1PodSpec, V1SecretKeySelector, V1Volume,
                                   V1VolumeMount)
except ModuleNotFoundError:  # in the task's own container, which has no use for its pod spec any more
    V1PodSpec = None

IMAGE = DefaultImages.default_image()


def shell(name, script, inputs=None, outputs=None, **options):
    return ContainerTask(name=name, image=IMAGE, command=["sh", "-ec", script], inputs=inputs, outputs=outputs,
                         input_data_dir="/var/inputs", output_data_dir="/var/outputs", **options)


# ---- Containers that read and write files ----

calculate = shell(
    "calculate",
    """
    cd /var/inputs
    echo $(( $(cat a) * 2 )) > /var/outputs/doubled
    printf '%s and %s' "$(cat words/0)" "$(cat words/1)" > /var/outputs/sentence
    test "$(cat half)" = 0.5 && test "$(cat yes)" = true
    echo true > /var/outputs/checked
    cp inputs.json /var/outputs/everything
    """,
    kwtypes(a=int, half=float, yes=bool, words=typing.List[str]),
    kwtypes(doubled=int, sentence=str, checked=bool, everything=dict),
)


@workflow
def through_a_container(a: int, words: typing.List[str]) -> (int, str, bool, dict):
    return calculate(a=a, half=0.5, yes=True, words=words)


@task
def make_data() -> (FlyteFile, FlyteDirectory):
    folder = pathlib.Path("folder")
    (folder / "deep").mkdir(parents=True)
    (folder / "one.txt").write_text("1", encoding="utf-8")
    (folder / "deep" / "two.txt").write_text("2", encoding="utf-8")
    pathlib.Path("single.bin").write_bytes(os.urandom(3_000_000))
    return FlyteFile("single.bin"), FlyteDirectory(str(folder))


turn_around = shell(
    "turn_around",
    """
    tac -s '' /var/inputs/file > /var/outputs/file || rev /var/inputs/file > /var/outputs/file
    mkdir -p /var/outputs/folder && cp -r /var/inputs/folder/. /var/outputs/folder && echo 3 > /var/outputs/folder/three.txt
    """,
    kwtypes(file=FlyteFile, folder=FlyteDirectory),
    kwtypes(file=FlyteFile, folder=FlyteDirectory),
)


@task
def list_folder(folder: FlyteDirectory) -> typing.List[str]:
    root = pathlib.Path(folder.download())
    return sorted(f"{path.relative_to(root)}={path.read_text().strip()}" for path in root.rglob("*") if path.is_file())


@task
def length(file: FlyteFile) -> int:
    return pathlib.Path(file.download()).stat().st_size


@workflow
def data_through_a_container() -> (typing.List[str], int):
    file, folder = make_data()
    turned = turn_around(file=file, folder=folder)
    return list_folder(folder=turned.folder), length(file=turned.file)


writes_nothing = shell("writes_nothing", "true", outputs=kwtypes(number=int))
writes_nonsense = shell("writes_nonsense", "echo many > /var/outputs/number", outputs=kwtypes(number=int))
gives_up = shell("gives_up", "echo 'no more paper' > /var/outputs/_ERROR", outputs=kwtypes(number=int))
fails = shell("fails", "echo 'paper is jammed' >&2; exit 9", outputs=kwtypes(number=int))
reads_file = shell("reads_file", "cat /var/inputs/file; touch /var/outputs/x", kwtypes(file=FlyteFile), kwtypes(x=str))


@workflow
def a_container_writes_nothing() -> int:
    return writes_nothing()


@workflow
def a_container_writes_nonsense() -> int:
    return writes_nonsense()


@workflow
def a_container_gives_up() -> int:
    return gives_up()


@workflow
def a_container_fails() -> int:
    return fails()


@workflow
def a_container_reads(file: FlyteFile) -> str:
    return reads_file(file=file)


# ---- Pod specs and templates ----

with_helper = V1PodSpec and PodTemplate(
    primary_container_name="main",
    labels={"team": "blue"},
    annotations={"note": "a helper runs beside"},
    pod_spec=V1PodSpec(
        containers=[
            V1Container(name="main", env=[V1EnvVar(name="COLOUR", value="blue")],
                        volume_mounts=[V1VolumeMount(name="shared", mount_path="/shared")]),
            V1Container(name="helper", image=IMAGE, command=["sh", "-c", "echo ready > /shared/word; sleep 600"],
                        volume_mounts=[V1VolumeMount(name="shared", mount_path="/shared")]),
        ],
        volumes=[V1Volume(name="shared", empty_dir=V1EmptyDirVolumeSource())],
    ),
)


@task(pod_template=with_helper)
def ask_helper(name: str) -> str:
    import time

    deadline = time.monotonic() + 60
    while not os.path.exists("/shared/word") and time.monotonic() < deadline:
        time.sleep(0.1)
    word = pathlib.Path("/shared/word").read_text().strip()
    return f"{name}: {word} in {os.environ['COLOUR']}"


@workflow
def with_a_helper(name: str) -> str:
    return ask_helper(name=name)


@task(pod_template_name="of-the-platform")
def uses_template() -> str:
    return os.environ.get("FROM_TEMPLATE", "nothing")


@task(pod_template_name="nowhere-to-be-found")
def uses_missing_template() -> str:
    return "never"


@task
def tell_colour() -> str:
    return os.environ.get("COLOUR", "none")


@workflow
def with_a_template() -> str:
    return uses_template()


@workflow
def with_a_missing_template() -> str:
    return uses_missing_template()


green = V1PodSpec and PodTemplate(
    primary_container_name="main",
    pod_spec=V1PodSpec(containers=[V1Container(name="main", env=[V1EnvVar(name="COLOUR", value="green")])]),
)


@workflow
def with_a_template_for_one_node() -> (str, str):
    return tell_colour(), tell_colour().with_overrides(pod_template=green)


# ---- Overrides and secrets ----


@task
def tell_resources() -> str:
    return os.environ.get("FLYTE_INTERNAL_TASK_NAME", "")


@workflow
def with_other_resources() -> (str, str):
    return tell_resources(), tell_resources().with_overrides(
        requests=Resources(cpu="123m", mem="321Mi"), limits=Resources(mem="345Mi", ephemeral_storage="1Gi"), shared_memory="16Mi", name="renamed"
    )


secrets_of_all_kinds = [
    Secret(group="e2e-secrets", key="as-file", mount_requirement=Secret.MountType.FILE),
    Secret(group="e2e-secrets", key="As_Variable", mount_requirement=Secret.MountType.ENV_VAR),
    Secret(group="e2e-secrets", key="ANYHOW", env_var="WHERE_IT_IS"),
]


@task(secret_requests=secrets_of_all_kinds)
def read_secrets() -> typing.List[str]:
    secrets = current_context().secrets
    return [secrets.get("e2e-secrets", "as-file"), secrets.get("e2e-secrets", "As_Variable"), secrets.get("e2e-secrets", "ANYHOW"),
            pathlib.Path(os.environ["WHERE_IT_IS"]).read_text(), os.environ["_FSEC_E2E-SECRETS_AS_VARIABLE"]]


@task(secret_requests=[Secret(group="e2e-absent", key="key")])
def read_absent_secret() -> str:
    return current_context().secrets.get("e2e-absent", "key")


@workflow
def with_secrets() -> typing.List[str]:
    return read_secrets()


@workflow
def with_an_absent_secret() -> str:
    return read_absent_secret()


# ---- Pods that go wrong ----

takes_all_memory = shell("takes_all_memory", "tail /dev/zero", limits=Resources(mem="24Mi"))
is_killed = shell("is_killed", "echo 'before the end' >&2; exit 137")
wants_too_much = shell("wants_too_much", "true", requests=Resources(cpu="1000"))
sleeps = shell("sleeps", "trap 'exit 0' TERM; sleep 60 & wait")
succeeds = shell("succeeds", "true")
has_no_image = ContainerTask(name="has_no_image", image="registry.invalid/nothing:1", command=["true"])
has_a_bad_image = ContainerTask(name="has_a_bad_image", image="registry.invalid/UPPER CASE", command=["true"])
needs_a_secret = V1PodSpec and ContainerTask(
    name="needs_a_secret", image=IMAGE, command=["true"],
    pod_template=PodTemplate(primary_container_name="main", pod_spec=V1PodSpec(containers=[
        V1Container(name="main", env=[V1EnvVar(name="X", value_from=V1EnvVarSource(secret_key_ref=V1SecretKeySelector(name="e2e-absent", key="key")))])])),
)


def alone(name, node):
    """A workflow with one node that has neither inputs nor outputs."""
    flow = Workflow(name=f"{__name__}.{name}")
    flow.add_entity(node)
    return flow


if V1PodSpec:
    out_of_memory = alone("out_of_memory", takes_all_memory)
    killed = alone("killed", is_killed)
    unschedulable = alone("unschedulable", wants_too_much)
    sleeping = alone("sleeping", sleeps)
    succeeding = alone("succeeding", succeeds)
    without_image = alone("without_image", has_no_image)
    with_a_bad_image = alone("with_a_bad_image", has_a_bad_image)
    without_its_secret = alone("without_its_secret", needs_a_secret)


# ---- Without a pod ----

echo = Echo(name="say_it_again", inputs={"x": str})


@workflow
def echoing(x: str) -> str:
    return echo(x=x)
