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
    priority: 1000  # before the figures: the report waits for it, too, and it takes longer
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


rule sensitivity:
    input:
        claims=f"{graph.results}/claims.json",
    output:
        svg=f"{graph.results}/sensitivity.svg",
        pdf=f"{graph.results}/sensitivity.pdf",
        png=f"{graph.results}/sensitivity.png",
    log:
        f"{graph.results}/logs/sensitivity.log",
    benchmark:
        f"{graph.results}/benchmarks/sensitivity/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        config=lambda wildcards: graph.judged,
        code=fingerprint("stages.sensitivity"),
    message:
        "Drawing the sensitivity to choices"
    shell:
        "python -m largestep.stages.sensitivity @<(printf '%s\\n' --config {params.config:q})"
        " --claims {input.claims:q} --svg {output.svg:q} --pdf {output.pdf:q} --png {output.png:q}"
        " --code {params.code} --log {log:q}"
