import type { Run } from "../../api/queries";
import { metric } from "../../lib/format";
import { bestOf, better, metricColumns, metricParts } from "../../lib/metrics";
import { CopyId } from "../../ui/copy";
import { Section } from "../../ui/section";
import { StateBadge } from "../../ui/state";
import { type Column, None, Table } from "../../ui/table";
import { Elapsed, RelativeTime } from "../../ui/time";

const METRIC_COLUMNS_MAX = 6;

const NAMES: Column<Run>[] = [
  { title: "Name", cell: (run) => run.name },
  { title: "Status", cell: (run) => <StateBadge state={run.status} /> },
  { title: "Experiment", cell: (run) => run.experiment },
];

const PLACES: Column<Run>[] = [
  { title: "Run", cell: (run) => <CopyId id={run.run_id} what="run id" /> },
  { title: "Took", numeric: true, cell: (run) => <Elapsed start={run.start_ms} end={run.end_ms} /> },
  { title: "Started", numeric: true, cell: (run) => <RelativeTime at={run.start_ms} /> },
];

export function Runs({ runs }: { runs: Run[] }) {
  const newestFirst = runs.toSorted((a, b) => b.start_ms - a.start_ms);
  const metrics = metricColumns(runs, METRIC_COLUMNS_MAX).map((name) =>
    metricColumn(name, bestOf(runs, name)),
  );
  return (
    <Section
      id="runs"
      title="Runs"
      count={runs.length}
      empty="Each training is a run; an unmodified MLflow client can log its own here too."
    >
      <Table
        caption="Runs"
        columns={[...NAMES, ...metrics, ...PLACES]}
        rows={newestFirst}
        rowKey={(run) => run.run_id}
      />
    </Section>
  );
}

function metricColumn(name: string, best: number | undefined): Column<Run> {
  const way = better(name);
  const { split, measure } = metricParts(name);
  return {
    title: measure,
    group: split,
    numeric: true,
    cell: (run) => {
      const value = run.metrics[name];
      if (value === undefined) return <None />;
      if (value !== best) return <span title={`${name} ${value}`}>{metric(value)}</span>;
      return (
        <strong title={`${name} ${value}, the best: ${way} is better`} className="font-semibold text-accent">
          {metric(value)}
          <span className="sr-only"> (best)</span>
        </strong>
      );
    },
  };
}
