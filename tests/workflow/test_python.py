"""Jobs run with the Python that runs Snakemake, whatever `python` is on PATH."""


def test_without_an_activated_environment(project):
    process = project.run(
        "--cores", "2", "--until", "dataset", environment={"PATH": "/usr/bin:/bin"}
    )
    assert process.returncode == 0, process.stdout
    assert list((project.root / "results/data").glob("xor*.safetensors"))
