rule atlas:
    input:
        data=graph.atlases.data,
    output:
        f"{graph.results}/atlas/{{atlas}}.parquet",
    log:
        f"{graph.results}/logs/atlas/{{atlas}}.log",
    benchmark:
        f"{graph.results}/benchmarks/atlas/{{atlas}}.tsv"
    wildcard_constraints:
        atlas="[^/.]+",
    priority: graph.atlases.work
    conda:
        "../../envs/environment.yaml"
    threads: graph.config.threads
    resources:
        mem_mb=graph.atlases.memory,
        runtime=graph.atlases.minutes,
        gpu=graph.atlases.gpus,
        turn=1,
    params:
        weights=graph.atlases.weights,
        spec=graph.atlases.spec,
        device=graph.atlases.device,
        threads=graph.config.threads,
        code=graph.atlases.code,
    message:
        "Atlas {wildcards.atlas}"
    shell:
        "python -m largestep.stages.atlas @<(printf '%s\\n' --spec {params.spec:q})"
        " --device {params.device} --threads {params.threads} --data {input.data:q}"
        " --out {output:q} --code {params.code} --log {log:q}"
