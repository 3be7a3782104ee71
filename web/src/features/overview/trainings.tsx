import type { Training } from "../../api/queries";
import { CopyId } from "../../ui/copy";
import { Section } from "../../ui/section";
import { type Column, None, Table } from "../../ui/table";

const COLUMNS: Column<Training>[] = [
  { title: "Name", cell: (training) => training.name },
  { title: "Pipeline", cell: (training) => training.pipeline },
  { title: "Task", cell: (training) => training.task },
  { title: "Family", cell: (training) => training.family },
  { title: "Registers", cell: (training) => training.model ?? <None /> },
  {
    title: "Last run",
    cell: (training) => (training.last_run ? <CopyId id={training.last_run} what="run id" /> : <None />),
  },
];

export function Trainings({ trainings }: { trainings: Training[] }) {
  return (
    <Section
      id="trainings"
      title="Trainings"
      count={trainings.length}
      empty="A Training document says what to fit on which pipeline's output."
    >
      <Table caption="Trainings" columns={COLUMNS} rows={trainings} rowKey={(training) => training.name} />
    </Section>
  );
}
