"""What a batch script asks for is read in every spelling that Slurm has for it."""

import pytest

from trainingrun.commands.init.batch_script import parse
from trainingrun.commands.init.from_script import gang, walltime
from trainingrun.commands.init.gang_size import World


@pytest.mark.parametrize(
    ("line", "nodes", "gpus"),
    [
        ("#SBATCH --nodes=4 --gres=gpu:8", 4, 8),
        ("#SBATCH -N 4 --gpus-per-node a100:8", 4, 8),
        ("#SBATCH -N4 --gres=gpu:a100:8", 4, 8),
        ("#SBATCH --nodes 4-6 --gres=gpu:a100:8(S:0-1),nvme:1", 4, 8),
        ("#SBATCH -N 4 -G 32", 4, 8),
        ("#SBATCH -N 4 --ntasks-per-node=8 --gpus-per-task=1", 4, 8),
        ("#SBATCH -N 2 --gres=nvme:1", 2, None),
        ("# SBATCH -N 2", None, None),
    ],
)
def test_nodes_and_gpus_in_each_spelling(line: str, nodes: int | None, gpus: int | None) -> None:
    script = parse(line, "run.sh")
    assert (script.nodes, script.gpus[0] if script.gpus else None) == (nodes, gpus)


@pytest.mark.parametrize(
    ("value", "days"),
    [("4-00:00:00", 4), ("12:00:00", 0.5), ("90", 90 / 1440), ("1-12", 1.5), ("30:00", 30 / 1440), ("soon", None)],
)
def test_a_time_limit_in_each_spelling(value: str, days: float | None) -> None:
    found = walltime(parse(f"#SBATCH --time={value}", "run.sh"))
    assert (found[0] if found else None) == (None if days is None else pytest.approx(days))


@pytest.mark.parametrize(
    ("launch", "engine", "config", "processes"),
    [
        ("srun torchrun --nproc_per_node=$N run_train.py --config-file a/b.yaml", "nanotron", "a/b.yaml", 4),
        (
            "python -m torch.distributed.run --nproc-per-node ${N} run_train.py --config-file=b.yaml",
            "nanotron",
            "b.yaml",
            4,
        ),
        ("torchrun --nproc_per_node ${GPUS:-8} \\\n  -m axolotl.cli.train c.yml", "axolotl", "c.yml", 8),
        ("accelerate launch -m axolotl.cli.train c.yaml", "axolotl", "c.yaml", None),
        ("axolotl train c.yaml", "axolotl", "c.yaml", None),
    ],
)
def test_what_is_started_with_what(launch: str, engine: str, config: str, processes: int | None) -> None:
    script = parse(f"N=4\n{launch}\n", "run.sh")
    assert script.launch is not None
    assert (script.launch.engine, script.launch.config) == (engine, config)
    assert script.launched("nproc-per-node") == processes


@pytest.mark.parametrize(
    ("lines", "network"),
    [
        ("export NCCL_IB_DISABLE=1", {"profile": "tcp"}),
        ("export NCCL_IB_DISABLE=0", {"profile": "infiniband"}),
        ("export NCCL_IB_DISABLE=0 NCCL_IB_GID_INDEX=3", {"profile": "roce", "nccl": {"IB_GID_INDEX": "3"}}),
        ('export NCCL_SOCKET_IFNAME="ib0"', {"socketInterfaces": ["ib0"]}),
        ("export OTHER=1", None),
    ],
)
def test_the_network_follows_from_the_variables(lines: str, network: dict[str, object] | None) -> None:
    fields = gang(parse(lines, "run.sh"), None, "spec.pretrain").fields
    assert fields.get("network") == network


@pytest.mark.parametrize(("given", "memory"), [("64G", "64Gi"), ("500", "500Mi"), ("1T", "1Ti"), ("0", None)])
def test_memory_counts_as_slurm_counts_it(given: str, memory: str | None) -> None:
    found = gang(parse(f"#SBATCH --mem={given} -c 8", "run.sh"), None, "spec.pretrain")
    assert found.fields["resources"]["requests"].get("memory") == memory
    assert ("no amount that a pod can ask for" in str(found.notices)) == (memory is None)


def test_a_variable_that_is_not_carried_over_is_named_with_its_line_and_where_it_would_go() -> None:
    found = gang(parse("\nexport NCCL_IB_TC=1\nexport UCX_TLS=rc", "run.sh"), None, "spec.pretrain")
    assert [one.message for one in found.notices if "run.sh line" in one.message] == [
        "NCCL_IB_TC=1 (run.sh line 2): a run has it as network.nccl.IB_TC, where the network still needs it.",
        "UCX_TLS=rc (run.sh line 3): pods take it from worker.env in the chart's values, for all runs.",
    ]


def test_an_index_of_an_address_is_carried_over_with_a_warning() -> None:
    found = gang(parse("export NCCL_IB_GID_INDEX=5", "run.sh"), None, "spec.pretrain")
    (notice,) = [one for one in found.notices if one.path == "spec.pretrain.network.nccl"]
    assert "NCCL_IB_GID_INDEX is 5 (run.sh line 1)" in notice.message


@pytest.mark.parametrize(
    ("text", "processes", "size"),
    [
        ("", 6, (1, 6)),
        ("", 64, (8, 8)),
        ("", 9, (3, 3)),
        ("#SBATCH -N 2", 8, (2, 4)),
        ("#SBATCH --gpus-per-node=4", 8, (2, 4)),
    ],
)
def test_what_a_script_leaves_out_follows_from_the_configuration(
    text: str, processes: int, size: tuple[int, int]
) -> None:
    fields = gang(parse(text, "run.sh"), World(processes, "cfg.yaml asks for it"), "spec.pretrain").fields
    assert (fields["nodes"], fields["gpusPerNode"]) == size


def test_a_script_that_makes_no_sense_says_nothing() -> None:
    script = parse("if [ 'x\n#SBATCH\n#SBATCH --\necho \"\n\\\n", "run.sh")
    assert (script.launch, script.nodes, dict(script.variables)) == (None, None, {})
