rule report:
    input:
        trajectories=f"{graph.results}/metrics/trajectories.parquet",
        runs=f"{graph.results}/metrics/runs.parquet",
        claims=f"{graph.results}/claims.json",
        findings=f"{graph.results}/claims.parquet",
        figures=graph.figures("svg", "png"),
        facts=graph.facts,
        atlases=graph.atlases.tables,
        template=[
            f"workflow/largestep/report/templates/{name}"
            for name in (
                "report.html",
                "overview.html",
                "plate.html",
                "explorer.html",
                "claims.html",
                "background.html",
                "report.css",
                "unpack.js",
                "explorer.js",
                "claims.js",
                "runs.js",
                "summary.md",
            )
        ],
    output:
        html=report(
            f"{graph.results}/report.html",
            category="Report",
            caption="../report/report.rst",
        ),
        markdown=f"{graph.results}/report.md",
    log:
        f"{graph.results}/logs/report.log",
    benchmark:
        f"{graph.results}/benchmarks/report/all.tsv"
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        config=lambda wildcards: graph.to_json(),
        times=[f"{graph.results}/benchmarks", "results/data/benchmarks"],
        code=fingerprint("stages.report"),
    message:
        "Writing the report"
    shell:
        "python -m largestep.stages.report @<(printf '%s\\n' --config {params.config:q})"
        " --trajectories {input.trajectories:q} --runs {input.runs:q}"
        " --claims {input.claims:q} --findings {input.findings:q} --figures {input.figures:q}"
        " --facts {input.facts:q} --atlases {input.atlases:q} --times {params.times:q} --html {output.html:q} --markdown {output.markdown:q}"
        " --code {params.code} --log {log:q}"
