import type { Overview } from "../../api/queries";
import { Concerns } from "./concerns";
import { Datasets } from "./datasets";
import { EmptyProject } from "./empty";
import { Endpoints } from "./endpoints";
import { Flow } from "./flow";
import { Jobs } from "./jobs";
import { Models } from "./models";
import { Pipelines } from "./pipelines";
import { Runs } from "./runs";
import { Trainings } from "./trainings";

/** Everything of one project, in the order in which data becomes an answer. */
export function OverviewSections({ overview }: { overview: Overview }) {
  const { datasets, pipelines, trainings, runs, models, endpoints, jobs } = overview;
  const all = [datasets, pipelines, trainings, runs, models, endpoints, jobs];
  if (all.every((list) => list.length === 0)) return <EmptyProject project={overview.project} />;
  return (
    <div className="grid grid-cols-1 gap-7">
      <Flow overview={overview} />
      <Concerns overview={overview} />
      <Datasets datasets={datasets} />
      <Pipelines pipelines={pipelines} />
      <div className="grid grid-cols-1 gap-x-6 gap-y-7 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Trainings trainings={trainings} />
        <Models models={models} />
      </div>
      <Runs runs={runs} />
      <Endpoints endpoints={endpoints} />
      <Jobs jobs={jobs} />
    </div>
  );
}
