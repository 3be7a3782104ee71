/** Which way a metric is better, by its name; `undefined` where nobody can tell. */
export function better(name: string): "higher" | "lower" | undefined {
  const lower = name.toLowerCase();
  if (/(loss|rmse|mae|mse|mape|error|brier|ece)/.test(lower)) return "lower";
  if (/(auc|accuracy|precision|recall|f1|r2|ndcg|hit_rate|kappa|mcc)/.test(lower)) return "higher";
  return undefined;
}

interface HasMetrics {
  metrics: Record<string, number>;
}

/** Test before validation before train, then by how many runs have it, then by name. */
export function metricColumns(runs: HasMetrics[], columnsMax: number): string[] {
  const runsWith = new Map<string, number>();
  for (const name of runs.flatMap((run) => Object.keys(run.metrics))) {
    runsWith.set(name, (runsWith.get(name) ?? 0) + 1);
  }
  const names = [...runsWith.keys()].sort(
    (a, b) => rank(a) - rank(b) || (runsWith.get(b) ?? 0) - (runsWith.get(a) ?? 0) || a.localeCompare(b),
  );
  return names.slice(0, columnsMax);
}

const SPLITS: Record<string, string> = {
  test: "test",
  val: "validation",
  validation: "validation",
  train: "train",
  training: "train",
};

/** `test_log_loss` is `log loss` on `test`; a name without a split is all measure. */
export function metricParts(name: string): { split: string | undefined; measure: string } {
  const words = name.split(/[_./\s-]+/).filter((word) => word !== "");
  const split = SPLITS[words[0]?.toLowerCase() ?? ""];
  const measure = split === undefined || words.length === 1 ? words : words.slice(1);
  return { split: words.length === 1 ? undefined : split, measure: measure.join(" ") || name };
}

function rank(name: string): number {
  const { split } = metricParts(name);
  return split === undefined ? 2 : ["test", "validation", "", "train"].indexOf(split);
}

/** The best value of a metric among runs, when at least two of them differ and better is known. */
export function bestOf(runs: HasMetrics[], name: string): number | undefined {
  const way = better(name);
  const values = runs
    .map((run) => run.metrics[name])
    .filter((value) => value !== undefined && !Number.isNaN(value));
  if (way === undefined || new Set(values).size < 2) return undefined;
  const pick = way === "higher" ? Math.max : Math.min;
  return pick(...(values as number[]));
}
