rule train:
    input:
        data=graph.dataset_file,
    output:
        rows=f"{graph.results}/runs/{{experiment}}/seed={{job}}.parquet",
        runs=f"{graph.results}/runs/{{experiment}}/seed={{job}}.runs.parquet",
        neurons=f"{graph.results}/runs/{{experiment}}/seed={{job}}.neurons.parquet",
        snapshots=f"{graph.results}/runs/{{experiment}}/seed={{job}}.snapshots.safetensors",
    log:
        f"{graph.results}/logs/train/{{experiment}}/seed={{job}}.log",
    benchmark:
        f"{graph.results}/benchmarks/train/{{experiment}}/seed={{job}}.tsv"
    wildcard_constraints:
        job="[^/.]+",
    priority: graph.requests.urgency
    group:
        graph.requests.group
    conda:
        "../../envs/environment.yaml"
    threads: graph.config.threads
    resources:
        mem_mb=graph.requests.memory,
        runtime=graph.requests.minutes,
        gpu=graph.requests.gpus,
        turn=1,
    params:
        weights=graph.weights,
        spec=graph.train_spec,
        seeds=graph.seeds,
        device=lambda wildcards: graph.config.device_of(wildcards.experiment),
        threads=graph.config.threads,
        code=graph.code_of("stages.train"),
    message:
        "Training {wildcards.experiment}, seed {wildcards.job}"
    shell:
        "python -m largestep.stages.train --experiment {wildcards.experiment:q}"
        " @<(printf '%s\\n' --spec {params.spec:q})"
        " --seeds {params.seeds} --device {params.device}"
        " --threads {params.threads} --data {input.data:q}"
        " --store results/store"
        " --rows {output.rows:q} --runs {output.runs:q} --neurons {output.neurons:q}"
        " --snapshots {output.snapshots:q} --code {params.code} --log {log:q}"
