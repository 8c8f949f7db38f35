rule metrics:
    input:
        parts=lambda wildcards: graph.parts(wildcards.table),
        sharpness=lambda wildcards: graph.sharpness if wildcards.table == "trajectories" else [],
        flow=lambda wildcards: graph.flow if wildcards.table == "trajectories" else [],
        geometry=lambda wildcards: graph.geometry if wildcards.table == "trajectories" else [],
    output:
        f"{graph.results}/metrics/{{table}}.parquet",
    log:
        f"{graph.results}/logs/metrics/{{table}}.log",
    benchmark:
        f"{graph.results}/benchmarks/metrics/{{table}}.tsv"
    wildcard_constraints:
        table="trajectories|runs|neurons",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        code=fingerprint("stages.metrics"),
    message:
        "Joining {wildcards.table}"
    shell:
        "python -m largestep.stages.metrics --table {wildcards.table}"
        " @<(printf '%s\\n' --parts {input.parts:q} --sharpness {input.sharpness:q} --flow {input.flow:q}"
        " --geometry {input.geometry:q})"
        " --out {output:q} --code {params.code} --log {log:q}"
