rule claims:
    input:
        trajectories=f"{graph.results}/metrics/trajectories.parquet",
        runs=f"{graph.results}/metrics/runs.parquet",
        neurons=f"{graph.results}/metrics/neurons.parquet",
        data=graph.data,
    output:
        json=f"{graph.results}/claims.json",
        parquet=f"{graph.results}/claims.parquet",
    log:
        f"{graph.results}/logs/claims.log",
    benchmark:
        f"{graph.results}/benchmarks/claims/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        config=lambda wildcards: graph.judged,
        code=graph.claims_code,
    message:
        "Judging the claims"
    shell:
        "python -m largestep.stages.claims @<(printf '%s\\n' --config {params.config:q})"
        " --trajectories {input.trajectories:q} --runs {input.runs:q}"
        " --neurons {input.neurons:q} --data {input.data:q}"
        " --json {output.json:q} --parquet {output.parquet:q}"
        " --code {params.code} --log {log:q}"
