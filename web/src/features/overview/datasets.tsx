import type { Dataset } from "../../api/queries";
import { bytes, count } from "../../lib/format";
import { CopyId } from "../../ui/copy";
import { Section } from "../../ui/section";
import { StateMark } from "../../ui/state";
import { type Column, None, Table } from "../../ui/table";
import { RelativeTime } from "../../ui/time";

const COLUMNS: Column<Dataset>[] = [
  { title: "Name", cell: (dataset) => dataset.name },
  { title: "Version", numeric: true, cell: (dataset) => dataset.version },
  { title: "Rows", numeric: true, cell: (dataset) => count(dataset.rows) },
  { title: "Columns", numeric: true, cell: (dataset) => count(dataset.columns) },
  { title: "Size", numeric: true, cell: (dataset) => bytes(dataset.bytes) },
  { title: "Tests", cell: (dataset) => <Tests dataset={dataset} /> },
  { title: "Digest", cell: (dataset) => <CopyId id={dataset.digest} what="digest" /> },
  { title: "Created", cell: (dataset) => <RelativeTime at={dataset.created_ms} /> },
];

export function Datasets({ datasets }: { datasets: Dataset[] }) {
  return (
    <Section
      id="datasets"
      title="Datasets"
      count={datasets.length}
      empty="A Dataset document names a file, a glob or a URL; applying it stores an immutable, tested version."
    >
      <Table caption="Datasets" columns={COLUMNS} rows={datasets} rowKey={(dataset) => dataset.name} />
    </Section>
  );
}

function Tests({ dataset: { tests_passed, tests_total } }: { dataset: Dataset }) {
  if (tests_total === 0) return <None />;
  const passed = tests_passed === tests_total;
  return (
    <span className={`inline-flex items-center gap-1.5 align-top ${passed ? "" : "font-medium text-bad"}`}>
      <StateMark state={passed ? "succeeded" : "failed"} />
      {passed ? `${tests_total} pass` : `${tests_total - tests_passed} of ${tests_total} fail`}
    </span>
  );
}
