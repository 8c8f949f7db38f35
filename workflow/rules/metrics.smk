rule metrics:
    input:
        parts=lambda wildcards: graph.parts(wildcards.table),
        sharpness=lambda wildcards: graph.sharpness if wildcards.table == "trajectories" else [],
        flow=lambda wildcards: graph.flow if wildcards.table == "trajectories" else [],
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
    # printf is part of the shell: unlike a command line, it takes any number of files.
    shell:
        "printf '%s\\n' {input.parts:q} | python -m largestep.stages.metrics"
        " --table {wildcards.table} --parts - --sharpness <(printf '%s\\n' {input.sharpness:q})"
        " --flow <(printf '%s\\n' {input.flow:q}) --out {output:q} --code {params.code} --log {log:q}"
