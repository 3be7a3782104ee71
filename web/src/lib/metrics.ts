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

function rank(name: string): number {
  if (/(^|[_./-])test([_./-]|$)/.test(name)) return 0;
  if (/(^|[_./-])val(idation)?([_./-]|$)/.test(name)) return 1;
  return /(^|[_./-])train(ing)?([_./-]|$)/.test(name) ? 3 : 2;
}

/** The best value of a metric among runs, when at least two of them differ and better is known. */
export function bestOf(runs: HasMetrics[], name: string): number | undefined {
  const way = better(name);
  const values = runs.map((run) => run.metrics[name]).filter((value) => value !== undefined && !Number.isNaN(value));
  if (way === undefined || new Set(values).size < 2) return undefined;
  const pick = way === "higher" ? Math.max : Math.min;
  return pick(...(values as number[]));
}
