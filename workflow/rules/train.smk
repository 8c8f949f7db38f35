rule train:
    input:
        data=graph.dataset_file,
        weights=graph.weight_file,
    output:
        rows=f"{graph.results}/runs/{{experiment}}/seed={{job}}.parquet",
        runs=f"{graph.results}/runs/{{experiment}}/seed={{job}}.runs.parquet",
        neurons=f"{graph.results}/runs/{{experiment}}/seed={{job}}.neurons.parquet",
    params:
        spec=graph.train_spec,
        seeds=graph.seeds,
        device=lambda wildcards: graph.config.device_of(wildcards.experiment),
        threads=graph.config.threads,
        code=fingerprint("train"),
    wildcard_constraints:
        job="[0-9_-]+",
    log:
        f"{graph.results}/logs/train/{{experiment}}/seed={{job}}.log",
    benchmark:
        f"{graph.results}/benchmarks/train/{{experiment}}/seed={{job}}.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: graph.config.threads
    message:
        "Training {wildcards.experiment}, seed {wildcards.job}"
    shell:
        "python -m largestep.stages.train --experiment {wildcards.experiment:q}"
        " --spec {params.spec:q} --seeds {params.seeds} --device {params.device}"
        " --threads {params.threads} --data {input.data:q}"
        " --rows {output.rows:q} --runs {output.runs:q} --neurons {output.neurons:q} --log {log:q}"
