rule geometry:
    input:
        data=graph.dataset_file,
        runs=f"{graph.results}/runs/{{experiment}}/seed={{job}}.runs.parquet",
        snapshots=f"{graph.results}/runs/{{experiment}}/seed={{job}}.snapshots.safetensors",
    output:
        f"{graph.results}/geometry/{{experiment}}/seed={{job}}.parquet",
    log:
        f"{graph.results}/logs/geometry/{{experiment}}/seed={{job}}.log",
    benchmark:
        f"{graph.results}/benchmarks/geometry/{{experiment}}/seed={{job}}.tsv"
    wildcard_constraints:
        job="[^/.]+",
    group:
        graph.requests.group
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=graph.requests.sharpness_memory,
        runtime=graph.requests.minutes,
        gpu=graph.requests.gpus,
        turn=1,
    params:
        spec=graph.geometry_spec,
        device=lambda wildcards: graph.config.device_of(wildcards.experiment),
        code=graph.code_of("stages.geometry"),
    message:
        "Geometry of {wildcards.experiment}, seed {wildcards.job}"
    shell:
        "python -m largestep.stages.geometry @<(printf '%s\\n' --spec {params.spec:q})"
        " --device {params.device} --data {input.data:q} --runs {input.runs:q} --snapshots {input.snapshots:q}"
        " --out {output:q} --code {params.code} --log {log:q}"
