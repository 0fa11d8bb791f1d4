"""Tasks whose pods are special: containers that know nothing of Flyte, pod specs, templates, secrets, and pods that go wrong."""

import os
import pathlib
import typing

from flytekit import ContainerTask, PodTemplate, kwtypes, task, workflow
from flytekit.configuration import DefaultImages
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

try:
    from kubernetes.client import V1Container, V1EmptyDirVolumeSource, V1EnvVar, V1PodSpec, V1Volume, V1VolumeMount
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
