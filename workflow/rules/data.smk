rule dataset:
    output:
        data="results/data/{dataset}.safetensors",
        facts="results/data/{dataset}.json",
    log:
        "results/data/logs/{dataset}.log",
    benchmark:
        "results/data/benchmarks/dataset/{dataset}.tsv"
    wildcard_constraints:
        dataset="[^/]+",
    priority: 10**9  # before all that waits for it
    localrule: True  # the nodes of a cluster may have no network
    conda:
        "../../envs/environment.yaml"
    params:
        spec=graph.dataset_spec,
        root=graph.root,
        code=graph.dataset_code,
    message:
        "Data set {wildcards.dataset}"
    shell:
        "python -m largestep.stages.dataset --spec {params.spec:q} --root={params.root:q}"
        " --out {output.data:q} --facts {output.facts:q} --code {params.code} --log {log:q}"
