rule metrics:
    input:
        lambda wildcards: graph.parts(wildcards.table),
    output:
        f"{graph.results}/metrics/{{table}}.parquet",
    params:
        code=fingerprint("metrics"),
    wildcard_constraints:
        table="trajectories|runs|neurons",
    log:
        f"{graph.results}/logs/metrics/{{table}}.log",
    benchmark:
        f"{graph.results}/benchmarks/metrics/{{table}}.tsv"
    conda:
        "../../envs/environment.yaml"
    message:
        "Joining {wildcards.table}"
    shell:
        "python -m largestep.stages.metrics --table {wildcards.table}"
        " --parts {input:q} --out {output:q} --log {log:q}"
