rule note:
    input:
        runs=f"{graph.results}/metrics/runs.parquet",
        claims=f"{graph.results}/claims.json",
        figures=graph.noted,
        sensitivity=graph.sensitivity("svg"),
        template="workflow/largestep/report/templates/note.typ",
    output:
        report(
            f"{graph.results}/report.pdf",
            category="Report",
            caption="../report/note.rst",
        ),
    log:
        f"{graph.results}/logs/note.log",
    benchmark:
        f"{graph.results}/benchmarks/note/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        config=lambda wildcards: graph.to_json(),
        code=fingerprint("stages.note"),
    message:
        "Writing the note"
    shell:
        "python -m largestep.stages.note @<(printf '%s\\n' --config {params.config:q})"
        " --runs {input.runs:q} --claims {input.claims:q} --figures {input.figures:q}"
        " --sensitivity {input.sensitivity:q}"
        " --pdf {output:q} --code {params.code} --log {log:q}"
