rule flow:
    input:
        data=graph.dataset_file,
    output:
        f"{graph.results}/flow/{{experiment}}/seed={{job}}.parquet",
    log:
        f"{graph.results}/logs/flow/{{experiment}}/seed={{job}}.log",
    benchmark:
        f"{graph.results}/benchmarks/flow/{{experiment}}/seed={{job}}.tsv"
    wildcard_constraints:
        job="[^/.]+",
    priority: graph.requests.urgency
    group:
        graph.requests.group
    conda:
        "../../envs/environment.yaml"
    threads: 1
    resources:
        mem_mb=graph.requests.flow_memory,
        runtime=graph.requests.flow_minutes,
        gpu=graph.requests.gpus,
        turn=1,
    params:
        weights=graph.weights,
        spec=graph.flow_spec,
        device=lambda wildcards: graph.config.device_of(wildcards.experiment),
        code=graph.code_of("stages.flow"),
    message:
        "Gradient flow of {wildcards.experiment}, seed {wildcards.job}"
    shell:
        "python -m largestep.stages.flow --experiment {wildcards.experiment:q}"
        " @<(printf '%s\\n' --spec {params.spec:q})"
        " --device {params.device} --data {input.data:q}"
        " --out {output:q} --code {params.code} --log {log:q}"
