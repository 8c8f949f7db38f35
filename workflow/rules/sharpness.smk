rule sharpness:
    input:
        data=graph.dataset_file,
        runs=f"{graph.results}/runs/{{experiment}}/seed={{job}}.runs.parquet",
        snapshots=f"{graph.results}/runs/{{experiment}}/seed={{job}}.snapshots.safetensors",
    output:
        f"{graph.results}/sharpness/{{experiment}}/seed={{job}}.parquet",
    log:
        f"{graph.results}/logs/sharpness/{{experiment}}/seed={{job}}.log",
    benchmark:
        f"{graph.results}/benchmarks/sharpness/{{experiment}}/seed={{job}}.tsv"
    wildcard_constraints:
        job="[^/.]+",
    priority: graph.requests.urgency
    group:
        graph.requests.group
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=graph.requests.sharpness_memory,
        runtime=graph.requests.sharpness_minutes,
        gpu=graph.requests.gpus,
        turn=1,
    params:
        spec=graph.sharpness_spec,
        device=lambda wildcards: graph.config.device_of(wildcards.experiment),
        code=graph.code_of("stages.sharpness"),
    message:
        "Sharpness of {wildcards.experiment}, seed {wildcards.job}"
    shell:
        "python -m largestep.stages.sharpness @<(printf '%s\\n' --spec {params.spec:q})"
        " --device {params.device} --data {input.data:q} --runs {input.runs:q} --snapshots {input.snapshots:q}"
        " --out {output:q} --code {params.code} --log {log:q}"
