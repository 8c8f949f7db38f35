rule figure:
    input:
        trajectories=graph.atlases.figure_rows("trajectories"),
        runs=graph.atlases.figure_rows("runs"),
        neurons=graph.atlases.figure_rows("neurons"),
    output:
        svg=report(
            f"{graph.results}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        pdf=f"{graph.results}/figures/{{figure}}.pdf",
        png=f"{graph.results}/figures/{{figure}}.png",
    log:
        f"{graph.results}/logs/figure/{{figure}}.log",
    benchmark:
        f"{graph.results}/benchmarks/figure/{{figure}}.tsv"
    priority: graph.figure_urgency
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        spec=graph.figure_spec,
        among=graph.figure_among,
        figure=graph.figure_words,
        code=graph.figure_code,
    message:
        "Drawing {wildcards.figure}"
    shell:
        "python -m largestep.stages.figure --figure {wildcards.figure:q}"
        " @<(printf '%s\\n' --spec {params.spec:q} --among {params.among:q})"
        " --trajectories {input.trajectories:q} --runs {input.runs:q} --neurons {input.neurons:q}"
        " --svg {output.svg:q} --pdf {output.pdf:q} --png {output.png:q} --code {params.code} --log {log:q}"
