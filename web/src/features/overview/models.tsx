import type { Model } from "../../api/queries";
import { Section } from "../../ui/section";
import { type Column, None, Table } from "../../ui/table";

const COLUMNS: Column<Model>[] = [
  { title: "Name", cell: (model) => model.name },
  { title: "Latest", numeric: true, cell: (model) => `v${model.latest_version}` },
  { title: "Aliases", cell: (model) => <Aliases model={model} /> },
];

export function Models({ models }: { models: Model[] }) {
  return (
    <Section
      id="models"
      title="Models"
      count={models.length}
      empty="A training with `register` makes a model version of each run and moves its alias."
    >
      <Table caption="Models" columns={COLUMNS} rows={models} rowKey={(model) => model.name} />
    </Section>
  );
}

function Aliases({ model }: { model: Model }) {
  if (model.aliases.length === 0) return <None />;
  return (
    <ul className="flex gap-1.5">
      {model.aliases.map(({ alias, version }) => (
        <li key={alias} className="rounded border border-line-strong px-1.5 text-xs">
          @{alias} <span className="text-ink-3">v{version}</span>
        </li>
      ))}
    </ul>
  );
}
