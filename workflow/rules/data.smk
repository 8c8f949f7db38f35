rule dataset:
    output:
        data="results/data/{dataset}.safetensors",
        facts="results/data/{dataset}.json",
    params:
        spec=graph.dataset_spec,
        root=graph.data_root,
        code=fingerprint("dataset"),
    wildcard_constraints:
        dataset="[^/]+",
    log:
        "results/data/logs/{dataset}.log",
    benchmark:
        "results/data/benchmarks/dataset/{dataset}.tsv"
    conda:
        "../../envs/environment.yaml"
    message:
        "Data set {wildcards.dataset}"
    shell:
        "python -m largestep.stages.dataset --spec {params.spec:q} --root {params.root:q}"
        " --out {output.data:q} --facts {output.facts:q} --log {log:q}"
