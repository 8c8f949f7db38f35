rule report_page:
    input:
        runs=f"{graph.results}/metrics/runs.parquet",
        figures=graph.figures("svg"),
        facts=graph.facts,
    output:
        report(
            f"{graph.results}/report.html",
            category="Report",
            caption="../report/report.rst",
        ),
    log:
        f"{graph.results}/logs/report.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    shell:
        "touch {output} 2> {log}"
